package bunstore

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

const refundColumns = `r.tenant, r.id, r.order_id, r.credit_id, r.currency, r.amount, r.state, r.reason, r.items,
 r.operation, r.version, r.attempts, r.next_action_at, r.created_at, r.effective_at`

const insertCredit = `INSERT INTO hc_credits (tenant, id, external_source, external_reference, merchant, customer, currency,
 note_amount, total, reason, effective_at, created_at, fingerprint)
 SELECT k.tenant, k.id, k.external_source, k.external_reference, k.merchant, k.customer, k.currency, k.note_amount,
 k.total, k.reason, k.effective_at, k.created_at, k.fingerprint FROM {k} k`

const insertRefunds = `INSERT INTO hc_refunds (tenant, id, order_id, credit_id, currency, amount, state, reason, items,
 operation, version, attempts, next_action_at, created_at, effective_at)
 SELECT k.tenant, k.id, k.order_id, k.credit_id, k.currency, k.amount, k.state, k.reason, k.items, k.operation,
 k.version, k.attempts, k.next_action_at, k.created_at, k.effective_at FROM {k} k`

// InsertCredit implements [order.Store].
func (o *Orders) InsertCredit(ctx context.Context, credits ...order.Credit) error {
	type c = order.Credit
	err := o.s.enqueue(ctx, write{table: "hc_credits", text: insertCredit, rows: int64(len(credits)), rel: newRel(len(credits)).
		text("tenant", each1(credits, func(v *c) string { return string(v.Tenant) })).
		uuid("id", each1(credits, func(v *c) string { return v.ID })).
		textNull("external_source", each1(credits, func(v *c) string { return v.External.Source })).
		textNull("external_reference", each1(credits, func(v *c) string { return v.External.Reference })).
		text("merchant", each1(credits, func(v *c) string { return v.Merchant.String() })).
		textNull("customer", each1(credits, func(v *c) string { return v.Customer.String() })).
		text("currency", each1(credits, func(v *c) string { return string(v.Total.Currency()) })).
		int("note_amount", each1(credits, func(v *c) int64 { return v.NoteAmount.Amount() })).
		int("total", each1(credits, func(v *c) int64 { return v.Total.Amount() })).
		text("reason", each1(credits, func(v *c) string { return v.Reason })).
		at("effective_at", each1(credits, func(v *c) time.Time { return v.EffectiveAt })).
		at("created_at", each1(credits, func(v *c) time.Time { return v.CreatedAt })).
		text("fingerprint", each1(credits, func(v *c) string { return v.Fingerprint }))})
	if err != nil {
		return err
	}
	var refunds []order.Refund
	var items []json.RawMessage
	for i := range credits {
		for _, r := range credits[i].Refunds {
			doc, err := encodeList(r.Items)
			if err != nil {
				return err
			}
			refunds, items = append(refunds, r), append(items, doc)
		}
	}
	type r = order.Refund
	return o.s.enqueue(ctx, write{table: "hc_refunds", text: insertRefunds, rows: int64(len(refunds)), rel: newRel(len(refunds)).
		text("tenant", each1(refunds, func(v *r) string { return string(v.Tenant) })).
		uuid("id", each1(refunds, func(v *r) string { return v.ID })).
		uuid("order_id", each1(refunds, func(v *r) string { return string(v.Order) })).
		uuidNull("credit_id", each1(refunds, func(v *r) string { return v.Credit })).
		text("currency", each1(refunds, func(v *r) string { return string(v.Amount.Currency()) })).
		int("amount", each1(refunds, func(v *r) int64 { return v.Amount.Amount() })).
		text("state", each1(refunds, func(v *r) string { return string(v.State) })).
		text("reason", each1(refunds, func(v *r) string { return v.Reason })).
		json("items", items).
		uuidNull("operation", each1(refunds, func(v *r) string { return v.Operation })).
		int("version", each1(refunds, func(v *r) int64 { return v.Version })).
		int("attempts", each1(refunds, func(v *r) int64 { return int64(v.Attempts) })).
		atNull("next_action_at", each1(refunds, func(v *r) time.Time { return v.NextActionAt })).
		at("created_at", each1(refunds, func(v *r) time.Time { return v.CreatedAt })).
		at("effective_at", each1(refunds, func(v *r) time.Time { return v.EffectiveAt }))})
}

const saveRefunds = `UPDATE hc_refunds AS r SET state = k.state, operation = k.operation, version = k.version,
 attempts = k.attempts, next_action_at = k.next_action_at
 FROM {k} k WHERE r.tenant = k.tenant AND r.id = k.id AND r.version = k.version - 1`

// SaveRefunds implements [order.Store].
func (o *Orders) SaveRefunds(ctx context.Context, refunds []order.Refund) error {
	type r = order.Refund
	return o.s.enqueue(ctx, write{
		table: "hc_refunds", text: saveRefunds, rows: int64(len(refunds)), failed: order.ErrStale,
		rel: newRel(len(refunds)).
			text("tenant", each1(refunds, func(v *r) string { return string(v.Tenant) })).
			uuid("id", each1(refunds, func(v *r) string { return v.ID })).
			text("state", each1(refunds, func(v *r) string { return string(v.State) })).
			uuidNull("operation", each1(refunds, func(v *r) string { return v.Operation })).
			int("version", each1(refunds, func(v *r) int64 { return v.Version })).
			int("attempts", each1(refunds, func(v *r) int64 { return int64(v.Attempts) })).
			atNull("next_action_at", each1(refunds, func(v *r) time.Time { return v.NextActionAt })),
	})
}

const lockRefunds = `SELECT ` + refundColumns + ` FROM {k} k CROSS JOIN hc_refunds AS r WHERE r.tenant = k.tenant AND r.id = k.id
 ORDER BY r.tenant, r.id {for update of r}`

// LockRefunds implements [order.Store].
func (o *Orders) LockRefunds(ctx context.Context, tenant hyperlocal.TenantID, ids []string) ([]order.Refund, error) {
	if err := o.s.lock(ctx, hyperlocal.RankOrder); err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !hyperlocal.ValidID(id) })
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return o.refunds(ctx, lockRefunds, refundRel(tenant, ids), nil)
}

func refundRel(tenant hyperlocal.TenantID, ids []string) *rel {
	return newRel(len(ids)).text("tenant", each1(ids, func(*string) string { return string(tenant) })).uuid("id", ids)
}

func (o *Orders) refunds(ctx context.Context, text string, r *rel, args []any) ([]order.Refund, error) {
	var out []order.Refund
	err := o.s.query(ctx, text, r, args, func(rows row) error {
		var v order.Refund
		var currency string
		var items json.RawMessage
		var amount int64
		if err := rows.Scan(&v.Tenant, &v.ID, &v.Order, nullText[string]{&v.Credit}, &currency, &amount, &v.State, &v.Reason,
			document{&items}, nullText[string]{&v.Operation}, &v.Version, &v.Attempts, nullInstant{&v.NextActionAt},
			instant{&v.CreatedAt}, instant{&v.EffectiveAt}); err != nil {
			return err
		}
		m := moneyOf{currency: hyperlocal.Currency(currency)}
		if v.Amount = m.of(amount); m.err != nil {
			return m.err
		}
		if err := decodeList(items, &v.Items); err != nil {
			return err
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

const dueRefunds = `SELECT ` + refundColumns + ` FROM hc_refunds AS r WHERE r.next_action_at <= $1
 ORDER BY r.next_action_at LIMIT $2`

const nextDueRefund = `SELECT min(d.next_action_at) FROM (SELECT r.next_action_at FROM hc_refunds AS r
 WHERE r.next_action_at IS NOT NULL ORDER BY r.next_action_at LIMIT 1 OFFSET $1) AS d`

// DueRefunds implements [order.Store].
func (o *Orders) DueRefunds(ctx context.Context, now time.Time, limit int) ([]order.Refund, time.Time, error) {
	var next time.Time
	due, err := o.refunds(ctx, dueRefunds, nil, []any{o.s.at(now), int64(limit)})
	if err != nil {
		return nil, next, err
	}
	err = o.s.query(ctx, nextDueRefund, nil, []any{int64(len(due))},
		func(rows row) error { return rows.Scan(nullInstant{&next}) })
	return due, next, err
}

const refundsOfOrder = `SELECT ` + refundColumns + ` FROM {k} k CROSS JOIN hc_refunds AS r {sqlite INDEXED BY hc_refunds_order} WHERE r.tenant = k.tenant AND r.order_id = k.id
 ORDER BY r.created_at, r.id`

// Refunds implements [order.Reader].
func (o *Orders) Refunds(ctx context.Context, tenant hyperlocal.TenantID, ids ...order.ID) ([]order.Refund, error) {
	keys := make([]string, 0, len(ids))
	for _, id := range ids {
		if hyperlocal.ValidID(string(id)) {
			keys = append(keys, string(id))
		}
	}
	slices.Sort(keys)
	return o.refunds(ctx, refundsOfOrder, refundRel(tenant, slices.Compact(keys)), nil)
}

const refundsOfCredit = `SELECT ` + refundColumns + ` FROM {k} k CROSS JOIN hc_refunds AS r {sqlite INDEXED BY hc_refunds_credit} WHERE r.tenant = k.tenant AND r.credit_id = k.id
 ORDER BY r.created_at, r.id`

const creditColumns = `SELECT c.tenant, c.id, c.external_source, c.external_reference, c.merchant, c.customer, c.currency,
 c.note_amount, c.total, c.reason, c.effective_at, c.created_at, c.fingerprint FROM hc_credits AS c`

const creditByExternal = creditColumns + ` WHERE c.tenant = $1 AND c.external_source = $2 AND c.external_reference = $3`

const creditByID = creditColumns + ` JOIN {k} k ON c.tenant = k.tenant AND c.id = k.id`

// CreditByExternal implements [order.Reader].
func (o *Orders) CreditByExternal(ctx context.Context, tenant hyperlocal.TenantID, ref hyperlocal.External) (order.Credit, bool, error) {
	return o.credit(ctx, creditByExternal, nil, []any{string(tenant), ref.Source, ref.Reference})
}

// GetCredit implements [order.Reader].
func (o *Orders) GetCredit(ctx context.Context, tenant hyperlocal.TenantID, id string) (order.Credit, bool, error) {
	if !hyperlocal.ValidID(id) {
		return order.Credit{}, false, nil
	}
	return o.credit(ctx, creditByID, refundRel(tenant, []string{id}), nil)
}

func (o *Orders) credit(ctx context.Context, text string, r *rel, args []any) (order.Credit, bool, error) {
	var v order.Credit
	found := false
	err := o.s.query(ctx, text, r, args, func(rows row) error {
		var merchant, customer, currency string
		var note, total int64
		if err := rows.Scan(&v.Tenant, &v.ID, nullText[string]{&v.External.Source}, nullText[string]{&v.External.Reference},
			&merchant, nullText[string]{&customer}, &currency, &note, &total, &v.Reason, instant{&v.EffectiveAt},
			instant{&v.CreatedAt}, &v.Fingerprint); err != nil {
			return err
		}
		m := moneyOf{currency: hyperlocal.Currency(currency)}
		v.Merchant, v.Customer, v.NoteAmount, v.Total = m.ref(merchant), m.ref(customer), m.of(note), m.of(total)
		found = true
		return m.err
	})
	if err != nil || !found {
		return order.Credit{}, false, err
	}
	v.Refunds, err = o.refunds(ctx, refundsOfCredit, refundRel(v.Tenant, []string{v.ID}), nil)
	return v, true, err
}
