package bunstore

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const webhookHead = `w.tenant, w.gateway, w.event, w.body, w.notice, w.state, w.reason, w.operation, w.attempts, w.next_at,
 w.received_at, w.processed_at`

func scanWebhook(rows row, to *[]payment.Webhook) error {
	var v payment.Webhook
	var notice json.RawMessage
	err := rows.Scan(&v.Tenant, &v.Gateway, &v.Event, &v.Body, document{&notice}, &v.State, &v.Reason,
		nullText[string]{&v.Operation}, &v.Attempts, nullInstant{&v.NextAt}, instant{&v.ReceivedAt}, nullInstant{&v.ProcessedAt})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(notice, &v.Notice); err != nil {
		return internal("store/decode", "a stored notice cannot be decoded").WithCause(err)
	}
	*to = append(*to, v)
	return nil
}

const insertWebhook = `INSERT INTO hc_payment_webhooks (tenant, gateway, event, body, notice, state, reason, operation, attempts,
 next_at, received_at, processed_at)
 SELECT k.tenant, k.gateway, k.event, k.body, k.notice, k.state, k.reason, k.operation, k.attempts, k.next_at,
 k.received_at, k.processed_at FROM {k} k
 WHERE true ON CONFLICT (tenant, gateway, event) DO NOTHING RETURNING 1`

// InsertWebhook implements [payment.WebhookStore].
func (o *Payments) InsertWebhook(ctx context.Context, w payment.Webhook) (bool, error) {
	if err := o.s.inTx(ctx); err != nil {
		return false, err
	}
	notice, err := json.Marshal(w.Notice)
	if err != nil {
		return false, internal("store/encode", "a notice cannot be encoded").WithCause(err)
	}
	if w.Body == nil {
		w.Body = []byte{}
	}
	fresh := false
	err = o.s.query(ctx, insertWebhook, webhookState(w).
		bytes("body", [][]byte{w.Body}).json("notice", []json.RawMessage{notice}).
		at("received_at", []time.Time{w.ReceivedAt}), nil,
		func(row) error { fresh = true; return nil })
	return fresh, err
}

func webhookState(w payment.Webhook) *rel {
	return newRel(1).text("tenant", []string{string(w.Tenant)}).text("gateway", []string{w.Gateway}).
		text("event", []string{w.Event}).text("state", []string{string(w.State)}).text("reason", []string{w.Reason}).
		uuidNull("operation", []string{w.Operation}).int("attempts", []int64{int64(w.Attempts)}).
		atNull("next_at", []time.Time{w.NextAt}).atNull("processed_at", []time.Time{w.ProcessedAt})
}

const updateWebhook = `UPDATE hc_payment_webhooks AS w SET state = k.state, reason = k.reason, operation = k.operation,
 attempts = k.attempts, next_at = k.next_at, processed_at = k.processed_at
 FROM {k} k WHERE w.tenant = k.tenant AND w.gateway = k.gateway AND w.event = k.event AND w.state = 'pending'`

// SaveWebhook implements [payment.WebhookStore].
func (o *Payments) SaveWebhook(ctx context.Context, w payment.Webhook) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	return o.s.enqueue(ctx, write{
		table: "hc_payment_webhooks", text: updateWebhook, rel: webhookState(w), rows: 1, failed: payment.ErrStale,
	})
}

const dueWebhooks = `SELECT ` + webhookHead + ` FROM hc_payment_webhooks AS w
 WHERE w.state = 'pending' AND w.next_at <= $1 ORDER BY w.received_at, w.tenant, w.gateway, w.event LIMIT $2`

// One row further than those returned would not do: they are ordered by another time.
const nextWebhook = `SELECT w.next_at FROM hc_payment_webhooks AS w WHERE w.state = 'pending' AND w.next_at IS NOT NULL
 ORDER BY w.next_at LIMIT 1`

const nextOtherWebhook = `SELECT w.next_at FROM hc_payment_webhooks AS w WHERE w.state = 'pending' AND w.next_at IS NOT NULL
 AND NOT EXISTS (SELECT 1 FROM {k} k WHERE k.tenant = w.tenant AND k.gateway = w.gateway AND k.event = w.event)
 ORDER BY w.next_at LIMIT 1`

// DueWebhooks implements [payment.WebhookStore].
func (o *Payments) DueWebhooks(ctx context.Context, now time.Time, limit int) ([]payment.Webhook, time.Time, error) {
	var due []payment.Webhook
	var next time.Time
	if limit > 0 {
		err := o.s.query(ctx, dueWebhooks, nil, []any{o.s.at(now), int64(limit)},
			func(rows row) error { return scanWebhook(rows, &due) })
		if err != nil {
			return nil, next, err
		}
	}
	text, others := nextWebhook, (*rel)(nil)
	if len(due) > 0 {
		text, others = nextOtherWebhook, newRel(len(due)).
			text("tenant", each1(due, func(w *payment.Webhook) string { return string(w.Tenant) })).
			text("gateway", each1(due, func(w *payment.Webhook) string { return w.Gateway })).
			text("event", each1(due, func(w *payment.Webhook) string { return w.Event }))
	}
	err := o.s.query(ctx, text, others, nil, func(rows row) error { return rows.Scan(nullInstant{&next}) })
	return due, next, err
}

const countWebhooks = `SELECT count(*) FROM hc_payment_webhooks AS w WHERE w.tenant = $1 AND w.state = $2`

// CountWebhooks implements [payment.WebhookStore].
func (o *Payments) CountWebhooks(ctx context.Context, tenant hyperlocal.TenantID, state payment.WebhookState) (int, error) {
	n := 0
	err := o.s.query(ctx, countWebhooks, nil, []any{string(tenant), string(state)},
		func(rows row) error { return rows.Scan(&n) })
	return n, err
}

// ListWebhooks implements [payment.WebhookStore].
func (o *Payments) ListWebhooks(ctx context.Context, tenant hyperlocal.TenantID, state payment.WebhookState, p hyperlocal.PageRequest) (hyperlocal.Page[payment.Webhook], error) {
	var page hyperlocal.Page[payment.Webhook]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"webhooks", tenant, state}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 3)
	if err != nil {
		return page, err
	}
	var c conditions
	c.add(`SELECT `+webhookHead+` FROM hc_payment_webhooks AS w WHERE w.tenant = %s`, string(tenant))
	if state != "" {
		c.add(` AND w.state = %s`, string(state))
	}
	if key != nil {
		before, err := strconv.ParseInt(key[0], 10, 64)
		if err != nil {
			return page, hyperlocal.ErrCursor
		}
		c.add(` AND (w.received_at, w.gateway, w.event) < (%s, %s, %s)`, o.s.at(time.UnixMicro(before)), key[1], key[2])
	}
	c.add(` ORDER BY w.received_at DESC, w.gateway DESC, w.event DESC LIMIT %s`, int64(size+1))
	err = o.s.query(ctx, c.text, nil, c.args, func(rows row) error { return scanWebhook(rows, &page.Items) })
	if err != nil {
		return hyperlocal.Page[payment.Webhook]{}, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := &page.Items[size-1]
		page.Next, err = hyperlocal.EncodeCursor(filter, strconv.FormatInt(last.ReceivedAt.UnixMicro(), 10), last.Gateway, last.Event)
	}
	return page, err
}
