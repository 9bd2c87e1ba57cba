package bunstore

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Orders is the [order.Store] of a database.
type Orders struct{ s *Store }

var (
	_ order.Store       = (*Orders)(nil)
	_ order.Eraser      = (*Orders)(nil)
	_ hyperlocal.Scoped = (*Orders)(nil)
)

// Orders returns the store of orders.
func (s *Store) Orders() *Orders { return &Orders{s: s} }

// TxScope implements [hyperlocal.Scoped].
func (o *Orders) TxScope() hyperlocal.Scope { return o.s.TxScope() }

func orderConstraints() map[string]*hyperlocal.Error {
	return map[string]*hyperlocal.Error{
		"hc_orders_number_key":                                  order.ErrNumberTaken,
		"hc_orders(tenant,number)":                              order.ErrNumberTaken,
		"hc_orders_external_key":                                order.ErrExternalTaken,
		"hc_orders(tenant,external_source,external_reference)":  order.ErrExternalTaken,
		"hc_credits_external_key":                               order.ErrExternalTaken,
		"hc_credits(tenant,external_source,external_reference)": order.ErrExternalTaken,
	}
}

const orderHead = `o.tenant, o.id, o.number, o.merchant, o.channel, o.group_id, o.external_source, o.external_reference,
 o.customer, o.currency, o.fulfilment, o.state, o.payment_status, o.version, o.lines_total, o.total, o.authorized,
 o.captured, o.refunded, o.requested_from, o.requested_to, o.time_zone, o.locale, o.custom, o.placed_at, o.created_at,
 o.updated_at, o.next_action, o.next_action_at, o.attempts, o.resume_state, o.fingerprint, o.pay_gateway, o.pay_method,
 o.pay_authorize, o.adjustment_count, o.spent`

const insertOrders = `INSERT INTO hc_orders (tenant, id, number, merchant, channel, group_id, external_source,
 external_reference, customer, currency, fulfilment, state, payment_status, version, lines_total, total, authorized,
 captured, refunded, requested_from, requested_to, time_zone, locale, custom, placed_at, created_at, updated_at,
 next_action, next_action_at, attempts, resume_state, fingerprint, pay_gateway, pay_method, pay_authorize,
 adjustment_count, spent)
 SELECT k.tenant, k.id, k.number, k.merchant, k.channel, k.group_id, k.external_source, k.external_reference,
 k.customer, k.currency, k.fulfilment, k.state, k.payment_status, k.version, k.lines_total, k.total, k.authorized,
 k.captured, k.refunded, k.requested_from, k.requested_to, k.time_zone, k.locale, k.custom, k.placed_at, k.created_at,
 k.updated_at, k.next_action, k.next_action_at, k.attempts, k.resume_state, k.fingerprint, k.pay_gateway, k.pay_method,
 k.pay_authorize, k.adjustment_count, k.spent
 FROM {k} k`

// Insert implements [order.Store].
func (o *Orders) Insert(ctx context.Context, orders []order.Order) error {
	if len(orders) == 0 {
		return nil
	}
	spent := make([]json.RawMessage, len(orders))
	for i := range orders {
		var err error
		if spent[i], err = encodeList(orders[i].Spent); err != nil {
			return err
		}
	}
	r := newRel(len(orders)).
		text("tenant", each1(orders, func(v *order.Order) string { return string(v.Tenant) })).
		uuid("id", each1(orders, func(v *order.Order) string { return string(v.ID) })).
		text("number", each1(orders, func(v *order.Order) string { return v.Number })).
		text("merchant", each1(orders, func(v *order.Order) string { return v.Merchant.String() })).
		text("channel", each1(orders, func(v *order.Order) string { return v.Channel })).
		text("group_id", each1(orders, func(v *order.Order) string { return v.Group })).
		textNull("external_source", each1(orders, func(v *order.Order) string { return v.External.Source })).
		textNull("external_reference", each1(orders, func(v *order.Order) string { return v.External.Reference })).
		textNull("customer", each1(orders, func(v *order.Order) string { return v.Customer.String() })).
		text("currency", each1(orders, func(v *order.Order) string { return string(v.Currency) })).
		text("fulfilment", each1(orders, func(v *order.Order) string { return string(v.Fulfilment) })).
		text("state", each1(orders, func(v *order.Order) string { return string(v.State) })).
		text("payment_status", each1(orders, func(v *order.Order) string { return string(v.PaymentStatus) })).
		int("version", each1(orders, func(v *order.Order) int64 { return v.Version })).
		int("lines_total", each1(orders, func(v *order.Order) int64 { return v.LinesTotal.Amount() })).
		int("total", each1(orders, func(v *order.Order) int64 { return v.Total.Amount() })).
		int("authorized", each1(orders, func(v *order.Order) int64 { return v.Authorized.Amount() })).
		int("captured", each1(orders, func(v *order.Order) int64 { return v.Captured.Amount() })).
		int("refunded", each1(orders, func(v *order.Order) int64 { return v.Refunded.Amount() })).
		atNull("requested_from", each1(orders, func(v *order.Order) time.Time { return v.RequestedFrom })).
		atNull("requested_to", each1(orders, func(v *order.Order) time.Time { return v.RequestedTo })).
		text("time_zone", each1(orders, func(v *order.Order) string { return v.TimeZone })).
		text("locale", each1(orders, func(v *order.Order) string { return v.Locale })).
		json("custom", each1(orders, func(v *order.Order) json.RawMessage { return v.Custom })).
		at("placed_at", each1(orders, func(v *order.Order) time.Time { return v.PlacedAt })).
		at("created_at", each1(orders, func(v *order.Order) time.Time { return v.CreatedAt })).
		at("updated_at", each1(orders, func(v *order.Order) time.Time { return v.UpdatedAt })).
		text("next_action", each1(orders, func(v *order.Order) string { return v.NextAction })).
		atNull("next_action_at", each1(orders, func(v *order.Order) time.Time { return v.NextActionAt })).
		int("attempts", each1(orders, func(v *order.Order) int64 { return int64(v.Attempts) })).
		text("resume_state", each1(orders, func(v *order.Order) string { return string(v.ResumeState) })).
		text("fingerprint", each1(orders, func(v *order.Order) string { return v.Fingerprint })).
		text("pay_gateway", each1(orders, func(v *order.Order) string { return v.PaidWith.Gateway })).
		text("pay_method", each1(orders, func(v *order.Order) string { return v.PaidWith.Method })).
		bool("pay_authorize", each1(orders, func(v *order.Order) bool { return v.PaidWith.Authorize })).
		int("adjustment_count", each1(orders, func(v *order.Order) int64 { return int64(len(v.Adjustments)) })).
		json("spent", spent)
	if err := o.s.enqueue(ctx, write{table: "hc_orders", text: insertOrders, rel: r, rows: int64(len(orders))}); err != nil {
		return err
	}
	if err := o.insertLines(ctx, orders); err != nil {
		return err
	}
	if err := o.insertAdjustments(ctx, orders); err != nil {
		return err
	}
	return o.insertContacts(ctx, orders)
}

// each1 makes one column of a relation: f of every row.
func each1[T, V any](rows []T, f func(*T) V) []V {
	out := make([]V, len(rows))
	for i := range rows {
		out[i] = f(&rows[i])
	}
	return out
}

const saveOrders = `UPDATE hc_orders AS o SET state = k.state, payment_status = k.payment_status, version = k.version,
 authorized = k.authorized, captured = k.captured, refunded = k.refunded, updated_at = k.updated_at,
 next_action = k.next_action, next_action_at = k.next_action_at, attempts = k.attempts, resume_state = k.resume_state,
 pay_gateway = k.pay_gateway, pay_method = k.pay_method, pay_authorize = k.pay_authorize
 FROM {k} k WHERE o.tenant = k.tenant AND o.id = k.id AND o.version = k.version - 1`

const saveReturned = `UPDATE hc_order_lines AS l SET returned = k.returned FROM {k} k
 WHERE l.tenant = k.tenant AND l.order_id = k.order_id AND l.n = k.n AND l.returned <> k.returned`

// Save implements [order.Store].
func (o *Orders) Save(ctx context.Context, orders []order.Order) error {
	if len(orders) == 0 {
		return nil
	}
	r := newRel(len(orders)).
		text("tenant", each1(orders, func(v *order.Order) string { return string(v.Tenant) })).
		uuid("id", each1(orders, func(v *order.Order) string { return string(v.ID) })).
		text("state", each1(orders, func(v *order.Order) string { return string(v.State) })).
		text("payment_status", each1(orders, func(v *order.Order) string { return string(v.PaymentStatus) })).
		int("version", each1(orders, func(v *order.Order) int64 { return v.Version })).
		int("authorized", each1(orders, func(v *order.Order) int64 { return v.Authorized.Amount() })).
		int("captured", each1(orders, func(v *order.Order) int64 { return v.Captured.Amount() })).
		int("refunded", each1(orders, func(v *order.Order) int64 { return v.Refunded.Amount() })).
		at("updated_at", each1(orders, func(v *order.Order) time.Time { return v.UpdatedAt })).
		text("next_action", each1(orders, func(v *order.Order) string { return v.NextAction })).
		atNull("next_action_at", each1(orders, func(v *order.Order) time.Time { return v.NextActionAt })).
		int("attempts", each1(orders, func(v *order.Order) int64 { return int64(v.Attempts) })).
		text("resume_state", each1(orders, func(v *order.Order) string { return string(v.ResumeState) })).
		text("pay_gateway", each1(orders, func(v *order.Order) string { return v.PaidWith.Gateway })).
		text("pay_method", each1(orders, func(v *order.Order) string { return v.PaidWith.Method })).
		bool("pay_authorize", each1(orders, func(v *order.Order) bool { return v.PaidWith.Authorize }))
	if err := o.s.enqueue(ctx, write{
		table: "hc_orders", text: saveOrders, rel: r, rows: int64(len(orders)), failed: order.ErrStale,
	}); err != nil {
		return err
	}
	var tenants, ids []string
	var ns, returned []int64
	for i := range orders {
		for j := range orders[i].Lines {
			if l := &orders[i].Lines[j]; l.Returned > 0 {
				tenants = append(tenants, string(orders[i].Tenant))
				ids = append(ids, string(orders[i].ID))
				ns = append(ns, int64(l.N))
				returned = append(returned, l.Returned)
			}
		}
	}
	if len(ns) == 0 {
		return nil
	}
	return o.s.enqueue(ctx, write{
		table: "hc_order_lines", text: saveReturned, rows: -1,
		rel: newRel(len(ns)).text("tenant", tenants).uuid("order_id", ids).int("n", ns).int("returned", returned),
	})
}

const insertHistory = `INSERT INTO hc_order_history (tenant, order_id, version, n, id, machine, trigger, from_state,
 to_state, reason, actor_kind, actor_id, at)
 SELECT k.tenant, k.order_id, k.version, k.n, k.id, k.machine, k.trigger, k.from_state, k.to_state, k.reason,
 k.actor_kind, k.actor_id, k.at FROM {k} k`

// AppendHistory implements [order.Store].
func (o *Orders) AppendHistory(ctx context.Context, entries []order.HistoryEntry) error {
	type e = order.HistoryEntry
	return o.s.enqueue(ctx, write{table: "hc_order_history", text: insertHistory, rows: int64(len(entries)), rel: newRel(len(entries)).
		text("tenant", each1(entries, func(v *e) string { return string(v.Tenant) })).
		uuid("order_id", each1(entries, func(v *e) string { return string(v.Order) })).
		int("version", each1(entries, func(v *e) int64 { return v.Version })).
		int("n", each1(entries, func(v *e) int64 { return int64(v.N) })).
		uuid("id", each1(entries, func(v *e) string { return v.ID })).
		text("machine", each1(entries, func(v *e) string { return v.Machine })).
		text("trigger", each1(entries, func(v *e) string { return v.Trigger })).
		text("from_state", each1(entries, func(v *e) string { return v.From })).
		text("to_state", each1(entries, func(v *e) string { return v.To })).
		text("reason", each1(entries, func(v *e) string { return v.Reason })).
		text("actor_kind", each1(entries, func(v *e) string { return v.Actor.Kind })).
		text("actor_id", each1(entries, func(v *e) string { return v.Actor.ID })).
		at("at", each1(entries, func(v *e) time.Time { return v.At }))})
}

const lockOrders = `SELECT ` + orderHead + ` FROM hc_orders AS o JOIN {k} k ON o.tenant = k.tenant AND o.id = k.id
 ORDER BY o.tenant, o.id {for update of o}`

// Lock implements [order.Store]. It takes two statements, three when an order has adjustments.
func (o *Orders) Lock(ctx context.Context, refs []order.Key) ([]order.Order, error) {
	if err := o.s.lock(ctx, hyperlocal.RankOrder); err != nil {
		return nil, err
	}
	unique := slices.Clone(refs)
	slices.SortFunc(unique, compareKeys)
	unique = slices.Compact(unique)
	unique = slices.DeleteFunc(unique, func(k order.Key) bool { return !hyperlocal.ValidID(string(k.ID)) })
	found := make([]order.Order, 0, len(unique))
	err := o.s.query(ctx, lockOrders, orderRel(unique), nil, func(rows row) error { return scanOrder(rows, &found) })
	if err != nil {
		return nil, err
	}
	if err := o.fill(ctx, found); err != nil {
		return nil, err
	}
	at := make(map[order.Key]int, len(found))
	for i := range found {
		at[order.Key{Tenant: found[i].Tenant, ID: found[i].ID}] = i
	}
	out := make([]order.Order, len(refs))
	for i, k := range refs {
		if j, ok := at[k]; ok {
			out[i] = found[j]
		}
	}
	return out, nil
}

func compareKeys(a, b order.Key) int {
	if c := strings.Compare(string(a.Tenant), string(b.Tenant)); c != 0 {
		return c
	}
	return strings.Compare(string(a.ID), string(b.ID))
}

func orderRel(keys []order.Key) *rel {
	return newRel(len(keys)).
		text("tenant", each1(keys, func(k *order.Key) string { return string(k.Tenant) })).
		uuid("id", each1(keys, func(k *order.Key) string { return string(k.ID) }))
}

const dueOrders = `SELECT ` + orderHead + ` FROM hc_orders AS o WHERE o.next_action_at <= $1
 ORDER BY o.next_action_at LIMIT $2 {for update of o skip locked}`

// The orders that were just claimed are still in the index; the earliest other one is what
// the worker sleeps until.
const nextDueOrder = `SELECT min(d.next_action_at) FROM (SELECT o.next_action_at FROM hc_orders AS o
 WHERE o.next_action_at IS NOT NULL ORDER BY o.next_action_at LIMIT 1 OFFSET $1) AS d`

// Due implements [order.Store].
func (o *Orders) Due(ctx context.Context, now time.Time, limit int) ([]order.Order, time.Time, error) {
	var next time.Time
	if err := o.s.lock(ctx, hyperlocal.RankOrder); err != nil {
		return nil, next, err
	}
	var due []order.Order
	err := o.s.query(ctx, dueOrders, nil, []any{o.s.at(now), int64(limit)},
		func(rows row) error { return scanOrder(rows, &due) })
	if err != nil {
		return nil, next, err
	}
	if err := o.fill(ctx, due); err != nil {
		return nil, next, err
	}
	err = o.s.query(ctx, nextDueOrder, nil, []any{int64(len(due))},
		func(rows row) error { return rows.Scan(nullInstant{&next}) })
	return due, next, err
}

// scanOrder appends the order in the current row, which starts with orderHead.
func scanOrder(rows row, to *[]order.Order, more ...any) error {
	var v order.Order
	var merchant, customer, currency string
	var lines, total, authorized, captured, refunded, adjustments int64
	var spent json.RawMessage
	into := []any{
		&v.Tenant, &v.ID, &v.Number, &merchant, &v.Channel, &v.Group, nullText[string]{&v.External.Source},
		nullText[string]{&v.External.Reference}, nullText[string]{&customer}, &currency, &v.Fulfilment, &v.State,
		&v.PaymentStatus, &v.Version, &lines, &total, &authorized, &captured, &refunded, nullInstant{&v.RequestedFrom},
		nullInstant{&v.RequestedTo}, &v.TimeZone, &v.Locale, document{&v.Custom}, instant{&v.PlacedAt},
		instant{&v.CreatedAt}, instant{&v.UpdatedAt}, &v.NextAction, nullInstant{&v.NextActionAt}, &v.Attempts,
		&v.ResumeState, &v.Fingerprint, &v.PaidWith.Gateway, &v.PaidWith.Method, &v.PaidWith.Authorize, &adjustments,
		document{&spent},
	}
	if err := rows.Scan(append(into, more...)...); err != nil {
		return err
	}
	m := moneyOf{currency: hyperlocal.Currency(currency)}
	v.Currency = m.currency
	v.LinesTotal, v.Total, v.Authorized = m.of(lines), m.of(total), m.of(authorized)
	v.Captured, v.Refunded = m.of(captured), m.of(refunded)
	v.Merchant, v.Customer = m.ref(merchant), m.ref(customer)
	if adjustments > 0 {
		v.Adjustments = make([]order.Adjustment, 0, adjustments) // fill reads them
	}
	if err := decodeList(spent, &v.Spent); err != nil {
		return err
	}
	*to = append(*to, v)
	return m.err
}

// moneyOf builds the amounts of a row and keeps the first error.
type moneyOf struct {
	currency hyperlocal.Currency
	err      error
}

func (m *moneyOf) of(amount int64) hyperlocal.Money {
	v, err := hyperlocal.NewMoney(amount, m.currency)
	if err != nil && m.err == nil {
		m.err = err
	}
	return v
}

func (m *moneyOf) quantity(value int64, unit string) hyperlocal.Quantity {
	v, err := hyperlocal.NewQuantity(value, hyperlocal.Unit(unit))
	if err != nil && m.err == nil {
		m.err = err
	}
	return v
}

func (m *moneyOf) ref(text string) hyperlocal.Ref {
	v, err := hyperlocal.ParseRef(text)
	if err != nil && m.err == nil {
		m.err = err
	}
	return v
}
