package bunstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

const getOrders = `SELECT ` + orderHead + `, c.note, c.contact FROM hc_orders AS o
 JOIN {k} k ON o.tenant = k.tenant AND o.id = k.id
 LEFT JOIN hc_order_contacts AS c ON c.tenant = o.tenant AND c.order_id = o.id`

// Get implements [order.Reader]. It takes two statements, three when an order has adjustments.
func (o *Orders) Get(ctx context.Context, tenant hyperlocal.TenantID, ids ...order.ID) ([]order.Order, error) {
	keys := make([]order.Key, 0, len(ids))
	for _, id := range ids {
		if hyperlocal.ValidID(string(id)) {
			keys = append(keys, order.Key{Tenant: tenant, ID: id})
		}
	}
	slices.SortFunc(keys, compareKeys)
	keys = slices.Compact(keys)
	found, err := o.whole(ctx, getOrders, orderRel(keys))
	if err != nil {
		return nil, err
	}
	at := make(map[order.ID]int, len(found))
	for i := range found {
		at[found[i].ID] = i
	}
	out := make([]order.Order, 0, len(ids))
	for _, id := range ids {
		if i, ok := at[id]; ok {
			out = append(out, found[i])
		}
	}
	return out, nil
}

// whole reads orders with their contacts, lines and adjustments.
func (o *Orders) whole(ctx context.Context, text string, r *rel) ([]order.Order, error) {
	var found []order.Order
	err := o.s.query(ctx, text, r, nil, func(rows row) error {
		var note string
		var contact json.RawMessage
		if err := scanOrder(rows, &found, nullText[string]{&note}, document{&contact}); err != nil {
			return err
		}
		v := &found[len(found)-1]
		v.Note = note
		if contact == nil {
			return nil
		}
		v.Contact = new(order.Contact)
		if err := json.Unmarshal(contact, v.Contact); err != nil {
			return internal("store/decode", "a stored contact cannot be decoded").WithCause(err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, o.fill(ctx, found)
}

const ordersByExternal = `SELECT ` + orderHead + `, c.note, c.contact FROM hc_orders AS o
 JOIN {k} k ON o.tenant = k.tenant AND o.external_source = k.source AND o.external_reference = k.reference
 LEFT JOIN hc_order_contacts AS c ON c.tenant = o.tenant AND c.order_id = o.id`

// ByExternal implements [order.Reader].
func (o *Orders) ByExternal(ctx context.Context, tenant hyperlocal.TenantID, refs ...hyperlocal.External) ([]order.Order, error) {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, func(a, b hyperlocal.External) int {
		if c := strings.Compare(a.Source, b.Source); c != 0 {
			return c
		}
		return strings.Compare(a.Reference, b.Reference)
	})
	refs = slices.Compact(refs)
	return o.whole(ctx, ordersByExternal, newRel(len(refs)).
		text("tenant", each1(refs, func(*hyperlocal.External) string { return string(tenant) })).
		text("source", each1(refs, func(e *hyperlocal.External) string { return e.Source })).
		text("reference", each1(refs, func(e *hyperlocal.External) string { return e.Reference })))
}

// conditions collects the restrictions of a list with their arguments.
type conditions struct {
	text string
	args []any
}

func (c *conditions) add(format string, args ...any) {
	marks := make([]any, len(args))
	for i := range args {
		marks[i] = "$" + strconv.Itoa(len(c.args)+i+1)
	}
	c.text += fmt.Sprintf(format, marks...)
	c.args = append(c.args, args...)
}

// List implements [order.Reader]. It takes two statements, three when an order has adjustments.
func (o *Orders) List(ctx context.Context, tenant hyperlocal.TenantID, f order.Filter, p hyperlocal.PageRequest) (hyperlocal.Page[order.Order], error) {
	var page hyperlocal.Page[order.Order]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{tenant, f}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	var c conditions
	c.add(`SELECT `+orderHead+` FROM hc_orders AS o WHERE o.tenant = %s`, string(tenant))
	if !f.Merchant.IsZero() {
		c.add(` AND o.merchant = %s`, f.Merchant.String())
	}
	if !f.Customer.IsZero() {
		c.add(` AND o.customer = %s`, f.Customer.String())
	}
	if !f.External.IsZero() {
		c.add(` AND o.external_source = %s AND o.external_reference = %s`, f.External.Source, f.External.Reference)
	}
	if f.PaymentStatus != "" {
		c.add(` AND o.payment_status = %s`, string(f.PaymentStatus))
	}
	for i, st := range f.States {
		opening := `, %s`
		if i == 0 {
			opening = ` AND o.state IN (%s`
		}
		c.add(opening, string(st))
		if i == len(f.States)-1 {
			c.text += `)`
		}
	}
	if !f.PlacedFrom.IsZero() {
		c.add(` AND o.placed_at >= %s`, o.s.at(f.PlacedFrom))
	}
	if !f.PlacedTo.IsZero() {
		c.add(` AND o.placed_at < %s`, o.s.at(f.PlacedTo))
	}
	if key != nil {
		after, err := strconv.ParseInt(key[0], 10, 64)
		if err != nil || !hyperlocal.ValidID(key[1]) {
			return page, hyperlocal.ErrCursor
		}
		c.add(` AND (o.placed_at, o.id) < (%s, {pg CAST(}%s{pg  AS uuid)})`, o.s.at(time.UnixMicro(after)), key[1])
	}
	c.add(` ORDER BY o.placed_at DESC, o.id DESC LIMIT %s`, int64(size+1))
	err = o.s.query(ctx, c.text, nil, c.args, func(rows row) error { return scanOrder(rows, &page.Items) })
	if err != nil {
		return hyperlocal.Page[order.Order]{}, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := &page.Items[size-1]
		page.Next, err = hyperlocal.EncodeCursor(filter, strconv.FormatInt(last.PlacedAt.UnixMicro(), 10), string(last.ID))
		if err != nil {
			return hyperlocal.Page[order.Order]{}, err
		}
	}
	return page, o.fill(ctx, page.Items)
}

// History implements [order.Reader].
func (o *Orders) History(ctx context.Context, tenant hyperlocal.TenantID, id order.ID, p hyperlocal.PageRequest) (hyperlocal.Page[order.HistoryEntry], error) {
	var page hyperlocal.Page[order.HistoryEntry]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{tenant, id}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil || !hyperlocal.ValidID(string(id)) {
		return page, err
	}
	var c conditions
	c.add(`SELECT h.id, h.version, h.n, h.machine, h.trigger, h.from_state, h.to_state, h.reason, h.actor_kind, h.actor_id, h.at
 FROM hc_order_history AS h WHERE h.tenant = %s AND h.order_id = {pg CAST(}%s{pg  AS uuid)}`, string(tenant), string(id))
	if key != nil {
		version, err1 := strconv.ParseInt(key[0], 10, 64)
		n, err2 := strconv.ParseInt(key[1], 10, 64)
		if err1 != nil || err2 != nil {
			return page, hyperlocal.ErrCursor
		}
		c.add(` AND (h.version, h.n) > (%s, %s)`, version, n)
	}
	c.add(` ORDER BY h.version, h.n LIMIT %s`, int64(size+1))
	err = o.s.query(ctx, c.text, nil, c.args, func(rows row) error {
		e := order.HistoryEntry{Tenant: tenant, Order: id}
		if err := rows.Scan(&e.ID, &e.Version, &e.N, &e.Machine, &e.Trigger, &e.From, &e.To, &e.Reason,
			&e.Actor.Kind, &e.Actor.ID, instant{&e.At}); err != nil {
			return err
		}
		page.Items = append(page.Items, e)
		return nil
	})
	if err != nil || len(page.Items) <= size {
		return page, err
	}
	page.Items = page.Items[:size]
	last := &page.Items[size-1]
	page.Next, err = hyperlocal.EncodeCursor(filter, strconv.FormatInt(last.Version, 10), strconv.Itoa(last.N))
	return page, err
}
