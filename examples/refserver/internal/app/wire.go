package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/bridge"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/cache"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/failpoint"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/community"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Services are the bounded contexts, composed.
type Services struct {
	Catalog   *catalog.Service
	Stock     *inventory.Service
	Ledger    *ledger.Service
	Loyalty   *loyalty.Service
	Payments  *payment.Service
	Orders    *order.Service
	Community *community.Service
	Sandbox   *sandbox.Gateway
	Bus       *eventbus.Bus
	Answers   *cache.Cache // of the HTTP edge

	transport *eventbus.InProcess
}

// Wiring is what the composition needs besides the database.
type Wiring struct {
	Clock  hyperlocal.Clock // nil: the machine's
	Logger *slog.Logger     // nil: slog's default
	Policy order.Policy     // zero: the defaults
	// GatewayTimeout bounds a call to a payment gateway; zero: payment's default.
	GatewayTimeout time.Duration
	// Intake commits concurrent single calls together, see order.Config.Intake.
	Intake bool
	// Shared is where several servers share their cached answers; nil for nowhere.
	Shared cache.Shared
	// Wake tells a worker that something is due sooner: "orders", "payments".
	Wake func(worker string)
}

// answerBytes is room for the answers about some twenty thousand products.
const answerBytes = 32 << 20

// Wire builds every service on one database and joins them by events. The order is that of
// the arrows: what is needed comes first.
func Wire(db *Database, w Wiring) (*Services, error) {
	if w.Clock == nil {
		w.Clock = hyperlocal.SystemClock{}
	}
	if w.Logger == nil {
		w.Logger = slog.Default()
	}
	if w.Wake == nil {
		w.Wake = func(string) {}
	}
	ids := hyperlocal.RandomIDs{}
	var s Services
	var err error

	// What shoppers and merchants ask for at the same moment is committed together.
	var gather struct {
		orders   *order.Intake
		stock    *inventory.Intake
		payments *payment.Intake
		ledger   *ledger.Intake
	}
	if w.Intake {
		gather.orders, gather.stock = &order.Intake{}, &inventory.Intake{}
		gather.payments, gather.ledger = &payment.Intake{}, &ledger.Intake{}
	}

	// Events leave through the outbox of the database and come back through handlers.
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	if s.Bus, err = eventbus.New(eventbus.Config{
		Tx: db, Inbox: db.Inbox, Queue: db.Queue, Publisher: transport, Subscriber: transport,
		Clock: w.Clock, Logger: w.Logger, Background: bunstore.Background, Hook: failpoint.Hit,
		Relay: eventbus.RelayConfig{Retention: keepPublished},
	}); err != nil {
		return nil, err
	}
	s.transport = transport
	outbox := s.Bus.Outbox(db.Outbox)

	// What many ask for is kept, until an event tells that it has changed.
	if s.Answers, err = cache.New(cache.Config{
		MaxBytes: answerBytes, Affected: httpapi.Affected, Shared: w.Shared, Clock: w.Clock, Logger: w.Logger,
	}); err != nil {
		return nil, err
	}

	// The books and what is sold.
	if s.Ledger, err = ledger.New(ledger.Config{Store: db.Ledger, Tx: db, Clock: w.Clock, IDs: ids, Intake: gather.ledger}); err != nil {
		return nil, err
	}
	if s.Catalog, err = catalog.New(catalog.Config{
		Store: db.Catalog, Tx: db, Outbox: s.Answers.Outbox(outbox), Clock: w.Clock, IDs: ids,
	}); err != nil {
		return nil, err
	}
	if s.Stock, err = inventory.New(inventory.Config{
		Store: db.Stock, Tx: db, Outbox: outbox, Idempotency: db.Idempotency, Clock: w.Clock, IDs: ids,
		Intake: gather.stock,
	}); err != nil {
		return nil, err
	}
	if s.Loyalty, err = loyalty.New(loyalty.Config{
		Store: db.Loyalty, Tx: db, Journal: s.Ledger, Clock: w.Clock, IDs: ids,
	}); err != nil {
		return nil, err
	}
	if s.Community, err = community.New(community.Config{
		Store: db.Community, Tx: db, Outbox: outbox, Clock: w.Clock, IDs: ids,
	}); err != nil {
		return nil, err
	}

	// Money. The sandbox plays the provider and keeps its own log of what it did.
	if s.Sandbox, err = sandbox.New(sandbox.Config{Log: db.SandboxLog, Clock: w.Clock}); err != nil {
		return nil, err
	}
	if s.Payments, err = payment.New(payment.Config{
		Store: db.Payments, Tx: db, Outbox: outbox, Journal: s.Ledger, Gateways: []payment.Gateway{s.Sandbox},
		Policy: payment.Policy{Timeout: w.GatewayTimeout, Lease: 2 * w.GatewayTimeout},
		Clock:  w.Clock, IDs: ids, Hook: failpoint.Hit, Wake: func() { w.Wake("payments") }, Intake: gather.payments,
	}); err != nil {
		return nil, err
	}

	// An order commits with its stock, its points, its money and its events.
	if s.Orders, err = order.New(order.Config{
		Store: db.Orders, Tx: db, Outbox: outbox, Idempotency: db.Idempotency,
		Stock: s.Stock, Participants: []hyperlocal.Participant{s.Loyalty.Participant()},
		Payments: s.Payments, Journal: s.Ledger, Offers: s.Catalog, Intake: gather.orders,
		Clock: w.Clock, IDs: ids, Policy: w.Policy, Hook: failpoint.Hit, Wake: func() { w.Wake("orders") },
	}); err != nil {
		return nil, err
	}
	if err := s.Payments.AttachOwner("order", s.Orders); err != nil {
		return nil, err
	}

	// What follows from events.
	return &s, bridge.Points(s.Bus, s.Loyalty, nil)
}

// Drain answers the calls that are inside the services, which take no more.
func (s *Services) Drain(ctx context.Context) error {
	return errors.Join(s.Orders.Close(ctx), s.Payments.Close(ctx), s.Stock.Close(ctx), s.Ledger.Close(ctx))
}

// Close closes what the services opened. Call it after the bus has stopped.
func (s *Services) Close() error { return s.transport.Close() }
