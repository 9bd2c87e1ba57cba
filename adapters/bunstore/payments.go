package bunstore

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Payments is the [payment.Store] of a database.
type Payments struct{ s *Store }

var (
	_ payment.Store     = (*Payments)(nil)
	_ hyperlocal.Scoped = (*Payments)(nil)
)

// Payments returns the store of intents, operations, movements and webhooks.
func (s *Store) Payments() *Payments { return &Payments{s: s} }

// TxScope implements [hyperlocal.Scoped].
func (o *Payments) TxScope() hyperlocal.Scope { return o.s.TxScope() }

func paymentConstraints() map[string]*hyperlocal.Error {
	return map[string]*hyperlocal.Error{
		"hc_payment_intents(tenant,id)":                                    payment.ErrStale,
		"hc_payment_allocations_amounts_check":                             errPaymentAmounts,
		"hc_payment_operations(tenant,id)":                                 payment.ErrStale,
		"hc_payment_operations_reference_key":                              hyperlocal.ErrTxRetry, // run again, the caller finds it
		"hc_payment_captures(tenant,operation,owner_kind,owner_id)":        payment.ErrStale,
		"hc_payment_refunds(tenant,operation,owner_kind,owner_id)":         payment.ErrStale,
		"hc_payment_operations(tenant,owner_kind,owner_id,verb,reference)": hyperlocal.ErrTxRetry,
	}
}

var errPaymentAmounts = internal("payment/broken_invariant", "the amounts of an intent contradict each other")

const intentHead = `i.tenant, i.id, i.customer, i.gateway, i.currency, i.attempts, i.payment, i.version, i.created_at, i.updated_at`

const intentsOfOwners = `SELECT ` + intentHead + ` FROM hc_payment_intents AS i
 WHERE (i.tenant, i.id) IN (SELECT a.tenant, a.intent FROM {k} k JOIN hc_payment_allocations AS a
  ON a.tenant = k.tenant AND a.owner_kind = k.owner_kind AND a.owner_id = k.owner_id)`

const lockIntents = intentsOfOwners + ` ORDER BY i.tenant, i.id {for update of i}`

const readIntents = intentsOfOwners + ` ORDER BY i.created_at, i.id, i.tenant`

// The allocations are read in a statement of their own: one that had to wait for the lock
// would show them as they were before.
const readAllocations = `SELECT a.tenant, a.intent, a.owner_kind, a.owner_id, a.merchant, a.amount, a.charging, a.authorized,
 a.claimed, a.captured, a.refunding, a.refunded FROM hc_payment_allocations AS a
 JOIN {k} k ON a.tenant = k.tenant AND a.intent = k.id ORDER BY a.tenant, a.intent, a.n`

// Lock implements [payment.Store].
func (o *Payments) Lock(ctx context.Context, owners ...hyperlocal.TenantRef) ([]payment.Intent, error) {
	if err := o.s.lock(ctx, hyperlocal.RankIntent); err != nil {
		return nil, err
	}
	return o.intents(ctx, lockIntents, owners)
}

// Intents implements [payment.Reader].
func (o *Payments) Intents(ctx context.Context, owners ...hyperlocal.TenantRef) ([]payment.Intent, error) {
	return o.intents(ctx, readIntents, owners)
}

func (o *Payments) intents(ctx context.Context, text string, owners []hyperlocal.TenantRef) ([]payment.Intent, error) {
	owners = sortedOwners(owners)
	var found []payment.Intent
	at := make(map[payment.Key]int)
	err := o.s.query(ctx, text, stockOwners(owners), nil, func(rows row) error {
		var in payment.Intent
		var customer, currency string
		err := rows.Scan(&in.Tenant, &in.ID, &customer, &in.Gateway, &currency, &in.Attempts, &in.Payment, &in.Version,
			instant{&in.CreatedAt}, instant{&in.UpdatedAt})
		if err != nil {
			return err
		}
		m := moneyOf{currency: hyperlocal.Currency(currency)}
		in.Currency, in.Customer = m.currency, m.ref(customer)
		at[payment.Key{Tenant: in.Tenant, ID: in.ID}] = len(found)
		found = append(found, in)
		return m.err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	keys := newRel(len(found)).
		text("tenant", each1(found, func(v *payment.Intent) string { return string(v.Tenant) })).
		uuid("id", each1(found, func(v *payment.Intent) string { return v.ID }))
	err = o.s.query(ctx, readAllocations, keys, nil, func(rows row) error {
		var k payment.Key
		var a payment.Allocation
		var merchant string
		err := rows.Scan(&k.Tenant, &k.ID, &a.Owner.Kind, &a.Owner.ID, &merchant, &a.Amount, &a.Charging, &a.Authorized,
			&a.Claimed, &a.Captured, &a.Refunding, &a.Refunded)
		if err != nil {
			return err
		}
		var m moneyOf
		a.Merchant = m.ref(merchant)
		in := &found[at[k]]
		in.Allocations = append(in.Allocations, a)
		return m.err
	})
	return found, err
}

const insertIntents = `INSERT INTO hc_payment_intents (tenant, id, customer, gateway, currency, attempts, payment, version,
 created_at, updated_at)
 SELECT k.tenant, k.id, k.customer, k.gateway, k.currency, k.attempts, k.payment, k.version, k.created_at, k.updated_at
 FROM {k} k`

const updateIntents = `UPDATE hc_payment_intents AS i SET attempts = k.attempts, payment = k.payment, version = k.version,
 updated_at = k.updated_at
 FROM {k} k WHERE i.tenant = k.tenant AND i.id = k.id AND i.version = k.version - 1`

const insertAllocations = `INSERT INTO hc_payment_allocations (tenant, intent, n, owner_kind, owner_id, merchant, amount,
 charging, authorized, claimed, captured, refunding, refunded)
 SELECT k.tenant, k.intent, k.n, k.owner_kind, k.owner_id, k.merchant, k.amount, k.charging, k.authorized, k.claimed,
 k.captured, k.refunding, k.refunded FROM {k} k`

const updateAllocations = `UPDATE hc_payment_allocations AS a SET amount = k.amount, charging = k.charging,
 authorized = k.authorized, claimed = k.claimed, captured = k.captured, refunding = k.refunding, refunded = k.refunded
 FROM {k} k WHERE a.tenant = k.tenant AND a.intent = k.intent AND a.owner_kind = k.owner_kind AND a.owner_id = k.owner_id`

// SaveIntents implements [payment.Store]: two queued writes for new intents, two for changed
// ones, whatever their number.
func (o *Payments) SaveIntents(ctx context.Context, intents []payment.Intent) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	intents = slices.Clone(intents)
	slices.SortFunc(intents, func(a, b payment.Intent) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID))
	})
	var fresh, old []payment.Intent
	for _, in := range intents {
		if in.Version == 1 {
			fresh = append(fresh, in)
			continue
		}
		old = append(old, in)
	}
	type i = payment.Intent
	for _, part := range []struct {
		rows              []payment.Intent
		head, allocations string
	}{{fresh, insertIntents, insertAllocations}, {old, updateIntents, updateAllocations}} {
		n := int64(len(part.rows))
		err := o.s.enqueue(ctx, write{
			table: "hc_payment_intents", text: part.head, rows: n, failed: payment.ErrStale,
			rel: newRel(len(part.rows)).
				text("tenant", each1(part.rows, func(v *i) string { return string(v.Tenant) })).
				uuid("id", each1(part.rows, func(v *i) string { return v.ID })).
				text("customer", each1(part.rows, func(v *i) string { return v.Customer.String() })).
				text("gateway", each1(part.rows, func(v *i) string { return v.Gateway })).
				text("currency", each1(part.rows, func(v *i) string { return string(v.Currency) })).
				int("attempts", each1(part.rows, func(v *i) int64 { return int64(v.Attempts) })).
				text("payment", each1(part.rows, func(v *i) string { return v.Payment })).
				int("version", each1(part.rows, func(v *i) int64 { return v.Version })).
				at("created_at", each1(part.rows, func(v *i) time.Time { return v.CreatedAt })).
				at("updated_at", each1(part.rows, func(v *i) time.Time { return v.UpdatedAt })),
		})
		if err != nil {
			return err
		}
		r := allocationsOf(part.rows)
		err = o.s.enqueue(ctx, write{
			table: "hc_payment_allocations", text: part.allocations, rel: r, rows: int64(r.n), failed: payment.ErrStale,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func allocationsOf(intents []payment.Intent) *rel {
	type row struct {
		in *payment.Intent
		n  int
		*payment.Allocation
	}
	var rows []row
	for i := range intents {
		for n := range intents[i].Allocations {
			rows = append(rows, row{&intents[i], n, &intents[i].Allocations[n]})
		}
	}
	return newRel(len(rows)).
		text("tenant", each1(rows, func(v *row) string { return string(v.in.Tenant) })).
		uuid("intent", each1(rows, func(v *row) string { return v.in.ID })).
		int("n", each1(rows, func(v *row) int64 { return int64(v.n) })).
		text("owner_kind", each1(rows, func(v *row) string { return v.Owner.Kind })).
		text("owner_id", each1(rows, func(v *row) string { return v.Owner.ID })).
		text("merchant", each1(rows, func(v *row) string { return v.Merchant.String() })).
		int("amount", each1(rows, func(v *row) int64 { return v.Amount })).
		int("charging", each1(rows, func(v *row) int64 { return v.Charging })).
		int("authorized", each1(rows, func(v *row) int64 { return v.Authorized })).
		int("claimed", each1(rows, func(v *row) int64 { return v.Claimed })).
		int("captured", each1(rows, func(v *row) int64 { return v.Captured })).
		int("refunding", each1(rows, func(v *row) int64 { return v.Refunding })).
		int("refunded", each1(rows, func(v *row) int64 { return v.Refunded }))
}

const insertOperations = `INSERT INTO hc_payment_operations (tenant, id, intent, owner_kind, owner_id, shares, verb, amount,
 currency, reference, gateway, method, attempt, idempotency_key, outcome, sent, payment, provider, class, code, retry_after,
 action, fee, fee_currency, next_at, lookups, attention, actor_kind, actor_id, at, created_at, begun_at,
 updated_at, version)
 SELECT k.tenant, k.id, k.intent, k.owner_kind, k.owner_id, k.shares, k.verb, k.amount, k.currency, k.reference, k.gateway,
 k.method, k.attempt, k.idempotency_key, k.outcome, k.sent, k.payment, k.provider, k.class, k.code, k.retry_after, k.action,
 k.fee, k.fee_currency, k.next_at, k.lookups, k.attention, k.actor_kind, k.actor_id, k.at, k.created_at, k.begun_at,
 k.updated_at, k.version FROM {k} k`

// InsertOperations implements [payment.Store].
func (o *Payments) InsertOperations(ctx context.Context, operations []payment.Operation) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	operations = sortedOperations(operations)
	shares := make([]json.RawMessage, len(operations))
	for i := range operations {
		b, err := json.Marshal(operations[i].Shares)
		if err != nil {
			return internal("store/encode", "shares cannot be encoded").WithCause(err)
		}
		shares[i] = b
	}
	type p = payment.Operation
	return o.s.enqueue(ctx, write{
		table: "hc_payment_operations", text: insertOperations, rows: int64(len(operations)),
		rel: operationState(operations).
			uuid("intent", each1(operations, func(v *p) string { return v.Intent })).
			text("owner_kind", each1(operations, func(v *p) string { return v.Owner.Kind })).
			text("owner_id", each1(operations, func(v *p) string { return v.Owner.ID })).
			json("shares", shares).
			text("verb", each1(operations, func(v *p) string { return string(v.Verb) })).
			int("amount", each1(operations, func(v *p) int64 { return v.Amount.Amount() })).
			text("currency", each1(operations, func(v *p) string { return string(v.Amount.Currency()) })).
			text("reference", each1(operations, func(v *p) string { return v.Reference })).
			text("gateway", each1(operations, func(v *p) string { return v.Gateway })).
			text("method", each1(operations, func(v *p) string { return v.Method })).
			text("actor_kind", each1(operations, func(v *p) string { return v.Actor.Kind })).
			text("actor_id", each1(operations, func(v *p) string { return v.Actor.ID })).
			at("created_at", each1(operations, func(v *p) time.Time { return v.CreatedAt })),
	})
}

const updateOperations = `UPDATE hc_payment_operations AS o SET attempt = k.attempt, idempotency_key = k.idempotency_key,
 outcome = k.outcome, sent = k.sent, payment = k.payment, provider = k.provider, class = k.class, code = k.code,
 retry_after = k.retry_after, action = k.action, fee = k.fee, fee_currency = k.fee_currency, next_at = k.next_at,
 lookups = k.lookups, attention = k.attention, at = k.at, begun_at = k.begun_at, updated_at = k.updated_at, version = k.version
 FROM {k} k WHERE o.tenant = k.tenant AND o.id = k.id AND o.version = k.version - 1`

// SaveOperations implements [payment.Store].
func (o *Payments) SaveOperations(ctx context.Context, operations []payment.Operation) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	return o.s.enqueue(ctx, write{
		table: "hc_payment_operations", text: updateOperations, rel: operationState(sortedOperations(operations)),
		rows: int64(len(operations)), failed: payment.ErrStale,
	})
}

func sortedOperations(operations []payment.Operation) []payment.Operation {
	operations = slices.Clone(operations)
	slices.SortFunc(operations, func(a, b payment.Operation) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID))
	})
	return operations
}

// operationState holds the key and what may change.
func operationState(operations []payment.Operation) *rel {
	type p = payment.Operation
	return newRel(len(operations)).
		text("tenant", each1(operations, func(v *p) string { return string(v.Tenant) })).
		uuid("id", each1(operations, func(v *p) string { return v.ID })).
		int("attempt", each1(operations, func(v *p) int64 { return int64(v.Attempt) })).
		text("idempotency_key", each1(operations, func(v *p) string { return v.Key })).
		text("outcome", each1(operations, func(v *p) string { return string(v.Outcome) })).
		bool("sent", each1(operations, func(v *p) bool { return v.Sent })).
		text("payment", each1(operations, func(v *p) string { return v.Payment })).
		text("provider", each1(operations, func(v *p) string { return v.Provider })).
		text("class", each1(operations, func(v *p) string { return string(v.Class) })).
		text("code", each1(operations, func(v *p) string { return v.Code })).
		int("retry_after", each1(operations, func(v *p) int64 { return int64(v.RetryAfter) })).
		text("action", each1(operations, func(v *p) string { return v.Action })).
		intNull("fee", each1(operations, func(v *p) *int64 { return amountOrNull(v.Fee) })).
		textNull("fee_currency", each1(operations, func(v *p) string { return string(v.Fee.Currency()) })).
		atNull("next_at", each1(operations, func(v *p) time.Time { return v.NextAt })).
		int("lookups", each1(operations, func(v *p) int64 { return int64(v.Lookups) })).
		text("attention", each1(operations, func(v *p) string { return v.Attention })).
		at("at", each1(operations, func(v *p) time.Time { return v.At })).
		at("begun_at", each1(operations, func(v *p) time.Time { return v.BegunAt })).
		at("updated_at", each1(operations, func(v *p) time.Time { return v.UpdatedAt })).
		int("version", each1(operations, func(v *p) int64 { return v.Version }))
}

func amountOrNull(m hyperlocal.Money) *int64 {
	if !m.IsValid() {
		return nil
	}
	amount := m.Amount()
	return &amount
}

const appendCaptures = `INSERT INTO hc_payment_captures (tenant, operation, owner_kind, owner_id, intent, amount, currency,
 provider, at)
 SELECT k.tenant, k.operation, k.owner_kind, k.owner_id, k.intent, k.amount, k.currency, k.provider, k.at FROM {k} k`

const appendRefunds = `INSERT INTO hc_payment_refunds (tenant, operation, owner_kind, owner_id, intent, amount, currency,
 provider, at)
 SELECT k.tenant, k.operation, k.owner_kind, k.owner_id, k.intent, k.amount, k.currency, k.provider, k.at FROM {k} k`

// AppendMovements implements [payment.Store].
func (o *Payments) AppendMovements(ctx context.Context, movements []payment.Movement) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	var captures, refunds []payment.Movement
	for _, m := range movements {
		if m.Kind == payment.MovedRefund {
			refunds = append(refunds, m)
			continue
		}
		captures = append(captures, m)
	}
	type m = payment.Movement
	for _, part := range []struct {
		table, text string
		rows        []payment.Movement
	}{{"hc_payment_captures", appendCaptures, captures}, {"hc_payment_refunds", appendRefunds, refunds}} {
		err := o.s.enqueue(ctx, write{
			table: part.table, text: part.text, rows: int64(len(part.rows)),
			rel: newRel(len(part.rows)).
				text("tenant", each1(part.rows, func(v *m) string { return string(v.Tenant) })).
				uuid("operation", each1(part.rows, func(v *m) string { return v.Operation })).
				text("owner_kind", each1(part.rows, func(v *m) string { return v.Owner.Kind })).
				text("owner_id", each1(part.rows, func(v *m) string { return v.Owner.ID })).
				uuid("intent", each1(part.rows, func(v *m) string { return v.Intent })).
				int("amount", each1(part.rows, func(v *m) int64 { return v.Amount.Amount() })).
				text("currency", each1(part.rows, func(v *m) string { return string(v.Amount.Currency()) })).
				text("provider", each1(part.rows, func(v *m) string { return v.Provider })).
				at("at", each1(part.rows, func(v *m) time.Time { return v.At })),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
