package audit_test

import (
	"context"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const (
	acme  hyperlocal.TenantID = "acme"
	rival hyperlocal.TenantID = "rival"
)

var (
	bakery = catalog.Merchant("bakery")
	ann    = hyperlocal.NewRef("customer", "ann")
	clerk  = hyperlocal.System("test")
)

// world is the real services on one database, and the names of what was done there.
type world struct {
	t        *testing.T
	store    *bunstore.Store
	catalog  *catalog.Service
	stock    *inventory.Service
	ledger   *ledger.Service
	loyalty  *loyalty.Service
	payments *payment.Service
	orders   *order.Service

	bread map[hyperlocal.TenantID]catalog.Variant
	names map[string]string // what corruptions call "{name}"
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func newWorld(t *testing.T, dsn string) *world {
	t.Helper()
	store, err := bunstore.Open(t.Context(), dsn, bunstore.WithRankCheck())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w := &world{t: t, store: store, bread: make(map[hyperlocal.TenantID]catalog.Variant), names: make(map[string]string)}
	w.must(store.Migrate(t.Context()))
	w.ledger, err = ledger.New(ledger.Config{Store: store.Ledger(), Tx: store})
	w.must(err)
	w.catalog, err = catalog.New(catalog.Config{Store: store.Catalog(), Tx: store, Outbox: store.Outbox()})
	w.must(err)
	w.stock, err = inventory.New(inventory.Config{Store: store.Stock(), Tx: store, Outbox: store.Outbox(), Idempotency: store.Idempotency()})
	w.must(err)
	w.loyalty, err = loyalty.New(loyalty.Config{Store: store.Loyalty(), Tx: store, Journal: w.ledger})
	w.must(err)
	gateway, err := sandbox.New(sandbox.Config{Log: store.SandboxLog()})
	w.must(err)
	w.payments, err = payment.New(payment.Config{
		Store: store.Payments(), Tx: store, Outbox: store.Outbox(), Journal: w.ledger, Gateways: []payment.Gateway{gateway},
	})
	w.must(err)
	w.orders, err = order.New(order.Config{
		Store: store.Orders(), Tx: store, Outbox: store.Outbox(), Idempotency: store.Idempotency(), Stock: w.stock,
		Participants: []hyperlocal.Participant{w.loyalty.Participant()}, Payments: w.payments, Journal: w.ledger, Offers: w.catalog,
	})
	w.must(err)
	w.must(w.payments.AttachOwner(order.OwnerKind, w.orders))
	for _, tenant := range []hyperlocal.TenantID{acme, rival} {
		w.sell(tenant)
	}
	return w
}

func (w *world) money(pence int64) hyperlocal.Money {
	w.t.Helper()
	m, err := hyperlocal.NewMoney(pence, "GBP")
	w.must(err)
	return m
}

// sell opens the tenant's bakery, with a lot of bread at 3.50.
func (w *world) sell(tenant hyperlocal.TenantID) {
	w.t.Helper()
	ctx := w.t.Context()
	_, err := w.catalog.CreateShop(ctx, catalog.CreateShopCommand{
		Tenant: tenant, Actor: clerk, Merchant: bakery, Name: "Bakery", Currency: "GBP", Location: "shelf", Open: true,
	})
	w.must(err)
	products, err := w.catalog.CreateProducts(ctx, catalog.CreateProductsCommand{
		Tenant: tenant, Actor: clerk, Merchant: bakery, Products: []catalog.NewProduct{{
			Title: "Bread", Kind: catalog.KindGoods, State: catalog.Active,
			Variants: []catalog.NewVariant{{SKU: "bread", Stocked: true, Prices: []hyperlocal.Money{w.money(350)}}},
		}},
	})
	w.must(err)
	v := products[0].Variants[0]
	w.bread[tenant] = v
	_, err = w.stock.SetItems(ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: clerk, Items: []inventory.Item{
		{ID: v.Item, Location: v.Location, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder},
	}})
	w.must(err)
	_, err = w.stock.Receive(ctx, inventory.StockCommand{Tenant: tenant, Actor: clerk, Lines: []inventory.StockLine{
		{Item: v.Item, Location: v.Location, Quantity: hyperlocal.Pieces(500)},
	}})
	w.must(err)
}

// placement asks for two breads for ann.
func (w *world) placement(tenant hyperlocal.TenantID) order.PlaceCommand {
	return order.PlaceCommand{
		Tenant: tenant, Actor: clerk, Merchant: bakery, Customer: ann, Currency: "GBP",
		Lines: []order.PlaceLine{{Variant: w.bread[tenant].ID.Ref(), Quantity: hyperlocal.Pieces(2)}},
	}
}

// place places orders at once and remembers them under their names.
func (w *world) place(tenant hyperlocal.TenantID, names string, change map[string]func(*order.PlaceCommand)) {
	w.t.Helper()
	all := strings.Fields(names)
	commands := make([]order.PlaceCommand, len(all))
	for i, name := range all {
		commands[i] = w.placement(tenant)
		if f := change[name]; f != nil {
			f(&commands[i])
		}
	}
	results, err := w.orders.PlaceMany(w.t.Context(), commands)
	w.must(err)
	for i, r := range results {
		w.must(r.Err)
		w.names[all[i]] = string(r.Order.ID)
	}
}

func (w *world) order(name string) order.ID { return order.ID(w.names[name]) }

// do takes orders through triggers.
func (w *world) do(tenant hyperlocal.TenantID, names string, triggers ...order.Trigger) {
	w.t.Helper()
	for _, trigger := range triggers {
		var commands []order.Command
		for name := range strings.FieldsSeq(names) {
			commands = append(commands, order.Command{Tenant: tenant, Actor: clerk, Order: w.order(name), Trigger: trigger, Reason: "test"})
		}
		results, err := w.orders.Do(w.t.Context(), commands...)
		w.must(err)
		for i, r := range results {
			if r.Err != nil {
				w.t.Fatalf("%s of %s: %v", trigger, strings.Fields(names)[i], r.Err)
			}
		}
	}
}

func (w *world) pay(tenant hyperlocal.TenantID, name, method string, authorize bool) {
	w.t.Helper()
	r, err := w.orders.Pay(w.t.Context(), order.PayCommand{
		Tenant: tenant, Actor: clerk, Order: w.order(name), Method: method, Authorize: authorize,
	})
	w.must(err)
	w.names["op-"+name] = r.Operation
}

// earn sets the points of orders to what they are worth by now.
func (w *world) earn(tenant hyperlocal.TenantID, names string) {
	w.t.Helper()
	var earned []loyalty.Earned
	for name := range strings.FieldsSeq(names) {
		o, err := w.orders.Get(w.t.Context(), tenant, w.order(name))
		w.must(err)
		left, err := o.Total.Sub(o.Refunded)
		w.must(err)
		earned = append(earned, loyalty.Earned{
			Tenant: tenant, Member: o.Customer, Source: o.ID.Ref(), SourceVersion: o.Version,
			Points: loyalty.Points(left, nil), Actor: clerk,
		})
	}
	w.must(w.loyalty.SetEarned(w.t.Context(), earned...))
}

// busy does a bit of everything in both tenants.
func (w *world) busy() {
	w.t.Helper()
	ctx := w.t.Context()
	w.place(acme, "open paid refunded cancelled held pending declined later dropped past", map[string]func(*order.PlaceCommand){
		"open": func(c *order.PlaceCommand) {
			c.Contact, c.Note = &order.Contact{Name: "Ann"}, "ring twice"
			c.Adjustments = []order.Adjustment{
				{Kind: order.AdjustDiscount, Amount: w.money(-100), Source: "spring"},
				{Kind: order.AdjustTax, Amount: w.money(50), Included: true},
			}
		},
		"later": func(c *order.PlaceCommand) { c.PayLater, c.Customer = true, hyperlocal.Ref{} },
	})
	w.place(rival, "foreign foreign-open", nil)
	for _, name := range []string{"paid", "refunded", "cancelled", "past"} {
		w.pay(acme, name, "ok", false)
	}
	w.pay(acme, "held", "ok", true)
	w.pay(acme, "pending", "pending", false)
	w.pay(acme, "declined", "decline:hard", false)
	w.pay(rival, "foreign", "ok", false)

	through := []order.Trigger{order.TriggerAccept, order.TriggerPrepare, order.TriggerReady, order.TriggerDeliver, order.TriggerComplete}
	w.do(acme, "paid refunded", through...)
	w.do(rival, "foreign", through...)
	w.do(acme, "held", order.TriggerAccept)
	w.do(acme, "cancelled dropped", order.TriggerCancel)
	w.earn(acme, "paid refunded")
	w.earn(rival, "foreign")

	credit, err := w.orders.Credit(ctx, order.CreditCommand{
		Tenant: acme, Actor: clerk, Merchant: bakery, Customer: ann, NoteAmount: w.money(120), Reason: "stale",
		Parts: []order.CreditPart{{
			Order: w.order("refunded"), Amount: w.money(350), Items: []order.RefundItem{{Line: 1, Quantity: hyperlocal.Pieces(1), Restock: true}},
		}},
	})
	w.must(err)
	w.names["credit"] = credit.Credit.ID
	w.names["refund"] = credit.Credit.Refunds[0].ID
	w.names["op-refund"] = credit.Credit.Refunds[0].Operation
	w.earn(acme, "refunded")
	_, err = w.loyalty.Spend(ctx, loyalty.SpendCommand{
		Tenant: acme, Member: ann, Reference: "cup", Subject: w.order("paid").Ref(), Points: 2, Actor: clerk,
	})
	w.must(err)

	// Money that somebody gives back past the order.
	var past []hyperlocal.PaymentOperation
	w.must(w.store.WithinTx(ctx, func(ctx context.Context) error {
		past, err = w.payments.Begin(ctx, hyperlocal.PaymentCommand{
			Tenant: acme, Owner: w.order("past").Ref(), Merchant: bakery, Customer: ann, Verb: hyperlocal.VerbRefund,
			Amount: w.money(100), Reference: "by hand", Actor: clerk,
		})
		return err
	}))
	_, err = w.payments.Execute(ctx, acme, past[0].ID)
	w.must(err)

	for range 10 {
		a, _, err := w.orders.RunDue(ctx, 100)
		w.must(err)
		b, _, err := w.payments.RunDue(ctx, 100)
		w.must(err)
		if a+b == 0 {
			break
		}
	}
	w.check()
}

// check makes sure that the database holds what the corruptions count on.
func (w *world) check() {
	w.t.Helper()
	for name, want := range map[string]struct {
		state    order.State
		payment  order.PaymentStatus
		refunded int64
	}{
		"open": {order.AwaitingPayment, order.PaymentDue, 0}, "paid": {order.Completed, order.PaymentPaid, 0},
		"refunded": {order.Completed, order.PaymentPartRefunded, 350}, "cancelled": {order.Cancelled, order.PaymentRefunded, 700},
		"held": {order.Accepted, order.PaymentPaid, 0}, "pending": {order.AwaitingPayment, order.PaymentProcessing, 0},
		"declined": {order.AwaitingPayment, order.PaymentDue, 0}, "later": {order.Confirmed, order.PaymentNoneDue, 0},
		"dropped": {order.Cancelled, order.PaymentDue, 0}, "past": {order.Confirmed, order.PaymentPartRefunded, 100},
	} {
		o, err := w.orders.Get(w.t.Context(), acme, w.order(name))
		w.must(err)
		if o.State != want.state || o.PaymentStatus != want.payment || o.Refunded.Amount() != want.refunded {
			w.t.Errorf("%s is %s, %s, refunded %d", name, o.State, o.PaymentStatus, o.Refunded.Amount())
		}
	}
	w.names["item"] = string(w.bread[acme].Item)
}
