package bunstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const operationHead = `o.tenant, o.id, o.intent, o.owner_kind, o.owner_id, o.shares, o.verb, o.amount, o.currency, o.reference,
 o.gateway, o.method, o.attempt, o.idempotency_key, o.outcome, o.sent, o.payment, o.provider, o.class, o.code, o.retry_after,
 o.action, o.fee, o.fee_currency, o.next_at, o.lookups, o.attention, o.actor_kind, o.actor_id, o.at, o.created_at,
 o.begun_at, o.updated_at, o.version`

// scanOperation appends the operation in the current row.
func scanOperation(rows row, to *[]payment.Operation) error {
	var v payment.Operation
	var shares json.RawMessage
	var amount int64
	var fee sql.NullInt64
	var currency, feeCurrency string
	err := rows.Scan(&v.Tenant, &v.ID, &v.Intent, &v.Owner.Kind, &v.Owner.ID, document{&shares}, &v.Verb, &amount, &currency,
		&v.Reference, &v.Gateway, &v.Method, &v.Attempt, &v.Key, &v.Outcome, &v.Sent, &v.Payment, &v.Provider, &v.Class,
		&v.Code, &v.RetryAfter, &v.Action, &fee, nullText[string]{&feeCurrency}, nullInstant{&v.NextAt}, &v.Lookups,
		&v.Attention, &v.Actor.Kind, &v.Actor.ID, instant{&v.At}, instant{&v.CreatedAt}, instant{&v.BegunAt},
		instant{&v.UpdatedAt}, &v.Version)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(shares, &v.Shares); err != nil {
		return internal("store/decode", "stored shares cannot be decoded").WithCause(err)
	}
	m := moneyOf{currency: hyperlocal.Currency(currency)}
	v.Amount = m.of(amount)
	if fee.Valid {
		m.currency = hyperlocal.Currency(feeCurrency)
		v.Fee = m.of(fee.Int64)
	}
	*to = append(*to, v)
	return m.err
}

const operationsByID = `SELECT ` + operationHead + ` FROM hc_payment_operations AS o
 JOIN {k} k ON o.tenant = k.tenant AND o.id = k.id`

// Operations implements [payment.Reader].
func (o *Payments) Operations(ctx context.Context, tenant hyperlocal.TenantID, ids ...string) ([]payment.Operation, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !hyperlocal.ValidID(id) })
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var found []payment.Operation
	err := o.s.query(ctx, operationsByID, newRel(len(ids)).
		text("tenant", each1(ids, func(*string) string { return string(tenant) })).uuid("id", ids), nil,
		func(rows row) error { return scanOperation(rows, &found) })
	return found, err
}

const operationsByReference = `SELECT ` + operationHead + ` FROM hc_payment_operations AS o
 JOIN {k} k ON o.tenant = k.tenant AND o.owner_kind = k.owner_kind AND o.owner_id = k.owner_id AND o.verb = k.verb
 AND o.reference = k.reference`

// ByReference implements [payment.Reader].
func (o *Payments) ByReference(ctx context.Context, keys ...payment.ReferenceKey) ([]payment.Operation, error) {
	type r = payment.ReferenceKey
	seen := make(map[r]bool, len(keys))
	keys = slices.DeleteFunc(slices.Clone(keys), func(k r) bool {
		twice := seen[k]
		seen[k] = true
		return twice
	})
	var found []payment.Operation
	err := o.s.query(ctx, operationsByReference, newRel(len(keys)).
		text("tenant", each1(keys, func(k *r) string { return string(k.Tenant) })).
		text("owner_kind", each1(keys, func(k *r) string { return k.Owner.Kind })).
		text("owner_id", each1(keys, func(k *r) string { return k.Owner.ID })).
		text("verb", each1(keys, func(k *r) string { return string(k.Verb) })).
		text("reference", each1(keys, func(k *r) string { return k.Reference })), nil,
		func(rows row) error { return scanOperation(rows, &found) })
	return found, err
}

const operationByKey = `SELECT ` + operationHead + ` FROM hc_payment_operations AS o
 WHERE o.tenant = $1 AND o.gateway = $2 AND o.idempotency_key = $3`

// ByKey implements [payment.Reader].
func (o *Payments) ByKey(ctx context.Context, tenant hyperlocal.TenantID, gateway, key string) (payment.Operation, bool, error) {
	var found []payment.Operation
	err := o.s.query(ctx, operationByKey, nil, []any{string(tenant), gateway, key},
		func(rows row) error { return scanOperation(rows, &found) })
	if err != nil || len(found) == 0 {
		return payment.Operation{}, false, err
	}
	return found[0], true, nil
}

// ListOperations implements [payment.Reader].
func (o *Payments) ListOperations(ctx context.Context, tenant hyperlocal.TenantID, f payment.OperationFilter, p hyperlocal.PageRequest) (hyperlocal.Page[payment.Operation], error) {
	var page hyperlocal.Page[payment.Operation]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"operations", tenant, f}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil || (f.Intent != "" && !hyperlocal.ValidID(f.Intent)) {
		return page, err
	}
	var c conditions
	c.add(`SELECT `+operationHead+` FROM hc_payment_operations AS o WHERE o.tenant = %s`, string(tenant))
	if !f.Owner.IsZero() {
		c.add(` AND o.owner_kind = %s AND o.owner_id = %s`, f.Owner.Kind, f.Owner.ID)
	}
	if f.Intent != "" {
		c.add(` AND o.intent = {pg CAST(}%s{pg  AS uuid)}`, f.Intent)
	}
	if f.Outcome != "" {
		c.add(` AND o.outcome = %s`, string(f.Outcome))
	}
	if f.Attention {
		c.text += ` AND o.attention <> ''`
	}
	if key != nil {
		before, err := strconv.ParseInt(key[0], 10, 64)
		if err != nil || !hyperlocal.ValidID(key[1]) {
			return page, hyperlocal.ErrCursor
		}
		c.add(` AND (o.created_at, o.id) < (%s, {pg CAST(}%s{pg  AS uuid)})`, o.s.at(time.UnixMicro(before)), key[1])
	}
	c.add(` ORDER BY o.created_at DESC, o.id DESC LIMIT %s`, int64(size+1))
	err = o.s.query(ctx, c.text, nil, c.args, func(rows row) error { return scanOperation(rows, &page.Items) })
	if err != nil {
		return hyperlocal.Page[payment.Operation]{}, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := &page.Items[size-1]
		page.Next, err = hyperlocal.EncodeCursor(filter, strconv.FormatInt(last.CreatedAt.UnixMicro(), 10), last.ID)
	}
	return page, err
}

const readMovements = `SELECT m.kind, m.operation, m.owner_kind, m.owner_id, m.amount, m.currency, m.provider, m.at FROM (
  SELECT 'capture' AS kind, c.operation, c.owner_kind, c.owner_id, c.amount, c.currency, c.provider, c.at
  FROM hc_payment_captures AS c WHERE c.tenant = $1 AND c.intent = {pg CAST(}$2{pg  AS uuid)}
  UNION ALL
  SELECT 'refund' AS kind, r.operation, r.owner_kind, r.owner_id, r.amount, r.currency, r.provider, r.at
  FROM hc_payment_refunds AS r WHERE r.tenant = $1 AND r.intent = {pg CAST(}$2{pg  AS uuid)}) AS m
 ORDER BY m.at, m.operation, m.owner_kind, m.owner_id`

// Movements implements [payment.Reader].
func (o *Payments) Movements(ctx context.Context, tenant hyperlocal.TenantID, intent string) ([]payment.Movement, error) {
	if !hyperlocal.ValidID(intent) {
		return nil, nil
	}
	var found []payment.Movement
	err := o.s.query(ctx, readMovements, nil, []any{string(tenant), intent}, func(rows row) error {
		v := payment.Movement{Tenant: tenant, Intent: intent}
		var amount int64
		var currency string
		err := rows.Scan(&v.Kind, &v.Operation, &v.Owner.Kind, &v.Owner.ID, &amount, &currency, &v.Provider, instant{&v.At})
		if err != nil {
			return err
		}
		m := moneyOf{currency: hyperlocal.Currency(currency)}
		v.Amount = m.of(amount)
		found = append(found, v)
		return m.err
	})
	return found, err
}

const leaseCandidate = `SELECT ` + operationHead + ` FROM hc_payment_operations AS o
 WHERE o.tenant = $1 AND o.id = {pg CAST(}$2{pg  AS uuid)} AND o.outcome = 'processing' AND o.next_at <= $3
 {for update of o}`

const takeLease = `UPDATE hc_payment_operations AS o SET next_at = $1, sent = {pg true}{sqlite 1}
 FROM {k} k WHERE o.tenant = k.tenant AND o.id = k.id`

// Lease implements [payment.Store].
func (o *Payments) Lease(ctx context.Context, tenant hyperlocal.TenantID, id string, now, until time.Time) (payment.Operation, bool, error) {
	if err := o.s.lock(ctx, hyperlocal.RankIntent); err != nil {
		return payment.Operation{}, false, err
	}
	if !hyperlocal.ValidID(id) {
		return payment.Operation{}, false, nil
	}
	var found []payment.Operation
	err := o.s.query(ctx, leaseCandidate, nil, []any{string(tenant), id, o.s.at(now)},
		func(rows row) error { return scanOperation(rows, &found) })
	if err != nil || len(found) == 0 {
		return payment.Operation{}, false, err
	}
	return found[0], true, o.take(ctx, found, until)
}

func (o *Payments) take(ctx context.Context, operations []payment.Operation, until time.Time) error {
	return o.s.enqueue(ctx, write{
		table: "hc_payment_operations", text: takeLease, args: []any{o.s.at(until)}, rel: operationKeys(operations),
		rows: int64(len(operations)), failed: payment.ErrStale,
	})
}

func operationKeys(operations []payment.Operation) *rel {
	return newRel(len(operations)).
		text("tenant", each1(operations, func(v *payment.Operation) string { return string(v.Tenant) })).
		uuid("id", each1(operations, func(v *payment.Operation) string { return v.ID }))
}

const dueOperations = `SELECT ` + operationHead + ` FROM hc_payment_operations AS o
 WHERE o.next_at <= $1 ORDER BY o.next_at, o.tenant, o.id LIMIT $2 {for update of o skip locked}`

const nextOperation = `SELECT o.next_at FROM hc_payment_operations AS o WHERE o.next_at IS NOT NULL
 ORDER BY o.next_at LIMIT 1`

const nextOtherOperation = `SELECT o.next_at FROM hc_payment_operations AS o WHERE o.next_at IS NOT NULL
 AND NOT EXISTS (SELECT 1 FROM {k} k WHERE k.tenant = o.tenant AND k.id = o.id) ORDER BY o.next_at LIMIT 1`

// LeaseDue implements [payment.Store].
func (o *Payments) LeaseDue(ctx context.Context, now, until time.Time, limit int) ([]payment.Operation, time.Time, error) {
	var next time.Time
	if err := o.s.lock(ctx, hyperlocal.RankIntent); err != nil {
		return nil, next, err
	}
	var due []payment.Operation
	if limit > 0 {
		err := o.s.query(ctx, dueOperations, nil, []any{o.s.at(now), int64(limit)},
			func(rows row) error { return scanOperation(rows, &due) })
		if err != nil {
			return nil, next, err
		}
	}
	text, others := nextOperation, (*rel)(nil)
	if len(due) > 0 {
		text, others = nextOtherOperation, operationKeys(due)
	}
	err := o.s.query(ctx, text, others, nil, func(rows row) error { return rows.Scan(nullInstant{&next}) })
	if err != nil || len(due) == 0 {
		return nil, next, err
	}
	return due, next, o.take(ctx, due, until)
}
