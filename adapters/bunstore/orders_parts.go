package bunstore

import (
	"context"
	"encoding/json"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

const insertOrderLines = `INSERT INTO hc_order_lines (tenant, order_id, n, kind, parent, group_id, variant, code, item,
 location, title, options, quantity, unit, unit_price, price_quantity, amount, returned, custom)
 SELECT k.tenant, k.order_id, k.n, k.kind, k.parent, k.group_id, k.variant, k.code, k.item, k.location, k.title,
 k.options, k.quantity, k.unit, k.unit_price, k.price_quantity, k.amount, k.returned, k.custom FROM {k} k`

func (o *Orders) insertLines(ctx context.Context, orders []order.Order) error {
	n := 0
	for i := range orders {
		n += len(orders[i].Lines)
	}
	tenants, ids, rows := make([]string, 0, n), make([]string, 0, n), make([]*order.Line, 0, n)
	options := make([]json.RawMessage, 0, n)
	for i := range orders {
		for j := range orders[i].Lines {
			l := &orders[i].Lines[j]
			doc, err := encodeList(l.Options)
			if err != nil {
				return err
			}
			tenants, ids = append(tenants, string(orders[i].Tenant)), append(ids, string(orders[i].ID))
			rows, options = append(rows, l), append(options, doc)
		}
	}
	type line = *order.Line
	return o.s.enqueue(ctx, write{table: "hc_order_lines", text: insertOrderLines, rows: int64(n), rel: newRel(n).
		text("tenant", tenants).
		uuid("order_id", ids).
		int("n", each1(rows, func(l *line) int64 { return int64((*l).N) })).
		text("kind", each1(rows, func(l *line) string { return string((*l).Kind) })).
		int("parent", each1(rows, func(l *line) int64 { return int64((*l).Parent) })).
		text("group_id", each1(rows, func(l *line) string { return (*l).Group })).
		text("variant", each1(rows, func(l *line) string { return (*l).Variant.String() })).
		text("code", each1(rows, func(l *line) string { return (*l).Code })).
		text("item", each1(rows, func(l *line) string { return string((*l).Item) })).
		text("location", each1(rows, func(l *line) string { return string((*l).Location) })).
		text("title", each1(rows, func(l *line) string { return (*l).Title })).
		json("options", options).
		int("quantity", each1(rows, func(l *line) int64 { return (*l).Quantity.Value() })).
		text("unit", each1(rows, func(l *line) string { return string((*l).Quantity.Unit()) })).
		int("unit_price", each1(rows, func(l *line) int64 { return (*l).UnitPrice.Amount() })).
		int("price_quantity", each1(rows, func(l *line) int64 { return (*l).PriceQuantity.Value() })).
		int("amount", each1(rows, func(l *line) int64 { return (*l).Amount.Amount() })).
		int("returned", each1(rows, func(l *line) int64 { return (*l).Returned })).
		json("custom", each1(rows, func(l *line) json.RawMessage { return (*l).Custom }))})
}

// encodeList encodes a list as JSON, nil for an empty one.
func encodeList[T any](list []T) (json.RawMessage, error) {
	if len(list) == 0 {
		return nil, nil
	}
	doc, err := json.Marshal(list)
	if err != nil {
		return nil, internal("store/encode", "a list cannot be encoded").WithCause(err)
	}
	return doc, nil
}

const insertOrderAdjustments = `INSERT INTO hc_order_adjustments (tenant, order_id, n, line, kind, amount, included,
 source, title, funding)
 SELECT k.tenant, k.order_id, k.n, k.line, k.kind, k.amount, k.included, k.source, k.title, k.funding FROM {k} k`

func (o *Orders) insertAdjustments(ctx context.Context, orders []order.Order) error {
	var tenants, ids []string
	var rows []order.Adjustment
	var funding []json.RawMessage
	for i := range orders {
		for _, a := range orders[i].Adjustments {
			doc, err := encodeList(a.Funding)
			if err != nil {
				return err
			}
			tenants, ids = append(tenants, string(orders[i].Tenant)), append(ids, string(orders[i].ID))
			rows, funding = append(rows, a), append(funding, doc)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	type a = order.Adjustment
	return o.s.enqueue(ctx, write{table: "hc_order_adjustments", text: insertOrderAdjustments, rows: int64(len(rows)), rel: newRel(len(rows)).
		text("tenant", tenants).
		uuid("order_id", ids).
		int("n", each1(rows, func(v *a) int64 { return int64(v.N) })).
		int("line", each1(rows, func(v *a) int64 { return int64(v.Line) })).
		text("kind", each1(rows, func(v *a) string { return string(v.Kind) })).
		int("amount", each1(rows, func(v *a) int64 { return v.Amount.Amount() })).
		bool("included", each1(rows, func(v *a) bool { return v.Included })).
		text("source", each1(rows, func(v *a) string { return v.Source })).
		text("title", each1(rows, func(v *a) string { return v.Title })).
		json("funding", funding)})
}

const insertOrderContacts = `INSERT INTO hc_order_contacts (tenant, order_id, note, contact)
 SELECT k.tenant, k.order_id, k.note, k.contact FROM {k} k`

func (o *Orders) insertContacts(ctx context.Context, orders []order.Order) error {
	var tenants, ids, notes []string
	var contacts []json.RawMessage
	for i := range orders {
		v := &orders[i]
		if v.Contact == nil && v.Note == "" {
			continue
		}
		var doc json.RawMessage
		if v.Contact != nil {
			var err error
			if doc, err = json.Marshal(v.Contact); err != nil {
				return internal("store/encode", "a contact cannot be encoded").WithCause(err)
			}
		}
		tenants, ids = append(tenants, string(v.Tenant)), append(ids, string(v.ID))
		notes, contacts = append(notes, v.Note), append(contacts, doc)
	}
	if len(ids) == 0 {
		return nil
	}
	return o.s.enqueue(ctx, write{
		table: "hc_order_contacts", text: insertOrderContacts, rows: int64(len(ids)),
		rel: newRel(len(ids)).text("tenant", tenants).uuid("order_id", ids).text("note", notes).json("contact", contacts),
	})
}

const selectOrderLines = `SELECT l.tenant, l.order_id, l.n, l.kind, l.parent, l.group_id, l.variant, l.code, l.item,
 l.location, l.title, l.options, l.quantity, l.unit, l.unit_price, l.price_quantity, l.amount, l.returned, l.custom
 FROM hc_order_lines AS l JOIN {k} k ON l.tenant = k.tenant AND l.order_id = k.id
 ORDER BY l.tenant, l.order_id, l.n`

const selectOrderAdjustments = `SELECT a.tenant, a.order_id, a.n, a.line, a.kind, a.amount, a.included, a.source, a.title,
 a.funding FROM hc_order_adjustments AS a JOIN {k} k ON a.tenant = k.tenant AND a.order_id = k.id
 ORDER BY a.tenant, a.order_id, a.n`

// fill reads the lines of the orders, and the adjustments of those that have some.
func (o *Orders) fill(ctx context.Context, orders []order.Order) error {
	if len(orders) == 0 {
		return nil
	}
	at := make(map[order.Key]int, len(orders))
	keys := make([]order.Key, len(orders))
	var adjusted []order.Key
	for i := range orders {
		keys[i] = order.Key{Tenant: orders[i].Tenant, ID: orders[i].ID}
		at[keys[i]] = i
		if orders[i].Adjustments != nil {
			adjusted = append(adjusted, keys[i])
		}
	}
	err := o.s.query(ctx, selectOrderLines, orderRel(keys), nil, func(rows row) error {
		var k order.Key
		var l order.Line
		var variant, unit string
		var options json.RawMessage
		var quantity, price, per, amount int64
		if err := rows.Scan(&k.Tenant, &k.ID, &l.N, &l.Kind, &l.Parent, &l.Group, &variant, &l.Code, &l.Item, &l.Location,
			&l.Title, document{&options}, &quantity, &unit, &price, &per, &amount, &l.Returned, document{&l.Custom}); err != nil {
			return err
		}
		v := &orders[at[k]]
		m := moneyOf{currency: v.Currency}
		l.Variant, l.Quantity, l.PriceQuantity = m.ref(variant), m.quantity(quantity, unit), m.quantity(per, unit)
		l.UnitPrice, l.Amount = m.of(price), m.of(amount)
		if m.err != nil {
			return m.err
		}
		v.Lines = append(v.Lines, l)
		return decodeList(options, &v.Lines[len(v.Lines)-1].Options)
	})
	if err != nil || len(adjusted) == 0 {
		return err
	}
	return o.s.query(ctx, selectOrderAdjustments, orderRel(adjusted), nil, func(rows row) error {
		var k order.Key
		var a order.Adjustment
		var funding json.RawMessage
		var amount int64
		if err := rows.Scan(&k.Tenant, &k.ID, &a.N, &a.Line, &a.Kind, &amount, &a.Included, &a.Source, &a.Title,
			document{&funding}); err != nil {
			return err
		}
		v := &orders[at[k]]
		m := moneyOf{currency: v.Currency}
		a.Amount = m.of(amount)
		if m.err != nil {
			return m.err
		}
		if err := decodeList(funding, &a.Funding); err != nil {
			return err
		}
		v.Adjustments = append(v.Adjustments, a)
		return nil
	})
}

func decodeList[T any](doc json.RawMessage, to *[]T) error {
	if doc == nil {
		return nil
	}
	if err := json.Unmarshal(doc, to); err != nil {
		return internal("store/decode", "a stored list cannot be decoded").WithCause(err)
	}
	return nil
}

const eraseContacts = `DELETE FROM hc_order_contacts WHERE tenant = $1 AND order_id IN
 (SELECT o.id FROM hc_orders AS o {sqlite INDEXED BY hc_orders_customer}
  WHERE o.tenant = $1 AND o.customer = $2)`

const erasePayments = `UPDATE hc_orders {sqlite INDEXED BY hc_orders_customer} SET pay_gateway = '', pay_method = ''
 WHERE tenant = $1 AND customer = $2 AND (pay_method <> '' OR pay_gateway <> '')`

const countPersonal = `SELECT count(*) FROM hc_orders AS o {sqlite INDEXED BY hc_orders_customer}
 LEFT JOIN hc_order_contacts AS c ON c.tenant = o.tenant AND c.order_id = o.id
 WHERE o.tenant = $1 AND o.customer = $2 AND (c.order_id IS NOT NULL OR o.pay_method <> '' OR o.pay_gateway <> '')`

// Erase implements [order.Eraser].
func (o *Orders) Erase(ctx context.Context, tenant hyperlocal.TenantID, customer hyperlocal.Ref) (int, error) {
	n := 0
	args := []any{string(tenant), customer.String()}
	err := o.s.WithinTx(ctx, func(ctx context.Context) error {
		err := o.s.query(ctx, countPersonal, nil, args, func(rows row) error { return rows.Scan(&n) })
		if err != nil {
			return err
		}
		if err := o.s.enqueue(ctx, write{table: "hc_orders", text: erasePayments, args: args, rows: -1}); err != nil {
			return err
		}
		return o.s.enqueue(ctx, write{table: "hc_order_contacts", text: eraseContacts, args: args, rows: -1})
	})
	return n, err
}
