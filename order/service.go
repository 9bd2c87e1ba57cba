package order

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Config is what a Service is made of. Store, Tx, Outbox and Idempotency are required and
// commit together; the rest may be left out.
type Config struct {
	Store       Store
	Tx          hyperlocal.TxRunner
	Outbox      hyperlocal.Outbox
	Idempotency hyperlocal.Idempotency

	Stock        Stock                    // without it, lines with a stock item are refused
	Participants []hyperlocal.Participant // beside Stock: points, coupons, wallets
	Payments     Payments                 // without it, orders are paid only through ApplyPayment
	Journal      Journal                  // without it, credit notes are not posted
	Offers       Offers                   // without it, every line states its price

	// Intake, if set, commits the single calls of concurrent callers together: Place, Do of one
	// command, Pay. Close drains it.
	Intake *Intake

	Clock  hyperlocal.Clock    // SystemClock by default
	IDs    hyperlocal.IDSource // RandomIDs by default
	Table  StateTable          // DefaultTable by default
	Policy Policy
	// Wake is called after a commit that made something due sooner, for a worker that sleeps
	// until the time that RunDue told it. It must not block.
	Wake func()
	// Hook, if set, is called at named places: "place.before_commit" inside the transaction of
	// a placement when everything is queued, "place.after_commit" before it is answered. An
	// error stops there, as a crash would. For tests.
	Hook func(ctx context.Context, name string) error
}

// ConfigOption changes a Config.
type ConfigOption func(*Config)

// WithTable replaces the transition table of the order state:
//
//	order.New(config, order.WithTable(order.DefaultTable().With(rows...)))
func WithTable(t StateTable) ConfigOption { return func(c *Config) { c.Table = t } }

// Service is the behaviour of orders: placing, moving, paying and refunding them, and the
// clock that never leaves one without a next action. It is safe for concurrent use and keeps
// nothing between calls, but for those that wait in its [Intake].
type Service struct {
	config   Config
	states   *Machine[State, *Order]
	payment  *Machine[PaymentStatus, PaymentCase]
	refund   *Machine[RefundState, RefundCase]
	progress map[State]int
	parts    []participant // in lock order, Stock among them
	// returners are those of parts that give back what was spent with them.
	returners []returner
	intake    *intake // nil without one
}

// participant remembers which of them is the stock.
type participant struct {
	hyperlocal.Participant
	stock bool
}

// New validates the configuration, reports everything that is wrong with it at once, and
// returns the service.
func New(c Config, options ...ConfigOption) (*Service, error) {
	for _, o := range options {
		o(&c)
	}
	var wrong []error
	for _, part := range []struct {
		name  string
		value any
	}{{"store", c.Store}, {"tx", c.Tx}, {"outbox", c.Outbox}, {"idempotency", c.Idempotency}} {
		if missing(part.value) {
			wrong = append(wrong, hyperlocal.Invalid("order", part.name, "the service needs its "+part.name))
		}
	}
	if c.Clock == nil {
		c.Clock = hyperlocal.SystemClock{}
	}
	if c.IDs == nil {
		c.IDs = hyperlocal.RandomIDs{}
	}
	if len(c.Table.Rows) == 0 {
		c.Table = DefaultTable()
	}
	if c.Wake == nil {
		c.Wake = func() {}
	}
	if c.Hook == nil {
		c.Hook = func(context.Context, string) error { return nil }
	}
	c.Policy = c.Policy.WithDefaults()
	s := &Service{config: c}
	wrong = append(wrong, c.Policy.Validate(), s.build(), s.gather(), s.open(),
		hyperlocal.SameScope(c.Store, c.Tx, c.Outbox, c.Idempotency, c.Stock, c.Payments, c.Journal))
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return s, nil
}

// build makes the machines.
func (s *Service) build() error {
	var errs [3]error
	s.states, errs[0] = NewMachine(s.config.Table)
	s.payment, errs[1] = NewMachine(DefaultPaymentTable())
	s.refund, errs[2] = NewMachine(DefaultRefundTable())
	s.progress = progressTable(s.config.Table)
	return errors.Join(errs[:]...)
}

// gather sorts the participants into the lock order.
func (s *Service) gather() error {
	if s.config.Stock != nil {
		s.parts = append(s.parts, participant{s.config.Stock, true})
	}
	for _, p := range s.config.Participants {
		if missing(p) {
			return hyperlocal.Invalid("order", "participants", "a participant is nil")
		}
		s.parts = append(s.parts, participant{p, false})
	}
	slices.SortStableFunc(s.parts, func(a, b participant) int { return cmp.Compare(a.Rank(), b.Rank()) })
	for _, p := range s.parts {
		if r, ok := p.Participant.(Returner); ok {
			s.returners = append(s.returners, returner{r, r.SpendKinds()})
		}
	}
	return nil
}

// missing reports whether a dependency is nil, also as a nil pointer inside an interface.
func missing(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

// progressTable tells for every state of a table how far it is on the way to the customer.
// A state of the host's own is as far as the furthest state that leads into it.
func progressTable(t StateTable) map[State]int {
	far := make(map[State]int)
	own := make(map[State]bool)
	for _, s := range t.States() {
		far[s] = progress(s)
		own[s] = far[s] < 0 && s != Cancelled && s != Expired && s != NeedsAttention
	}
	for range far { // the longest chain of own states has at most that many links
		for _, r := range t.Rows {
			if !own[r.To] {
				continue
			}
			for _, from := range r.From {
				far[r.To] = max(far[r.To], far[from])
			}
		}
	}
	return far
}

// progressOf is how far an order is, seen through an interruption.
func (s *Service) progressOf(o *Order) int {
	if o.State == NeedsAttention {
		return s.progress[o.ResumeState]
	}
	return s.progress[o.State]
}

// TxScope implements hyperlocal.Scoped when the store does.
func (s *Service) TxScope() hyperlocal.Scope {
	return hyperlocal.ScopeOf(s.config.Store)
}

// Get returns an order, whole; ErrNotFound if there is none.
func (s *Service) Get(ctx context.Context, tenant hyperlocal.TenantID, id ID) (Order, error) {
	if err := problem(tenant.Validate(), checkID(id)); err != nil {
		return Order{}, err
	}
	o, ok, err := s.get(ctx, Key{tenant, id})
	if err == nil && !ok {
		err = ErrNotFound
	}
	return o, err
}

// List returns orders newest first; see Reader.
func (s *Service) List(ctx context.Context, tenant hyperlocal.TenantID, f Filter, p hyperlocal.PageRequest,
) (hyperlocal.Page[Order], error) {
	if err := problem(tenant.Validate(), f.External.Validate(), f.Merchant.Validate(), f.Customer.Validate(),
		checkAt("placed_from", f.PlacedFrom), checkAt("placed_to", f.PlacedTo)); err != nil {
		return hyperlocal.Page[Order]{}, err
	}
	return s.config.Store.List(ctx, tenant, f, p)
}

// GetCredit returns a recorded credit; ErrRefundNotFound if there is none.
func (s *Service) GetCredit(ctx context.Context, tenant hyperlocal.TenantID, id string) (Credit, error) {
	if err := tenant.Validate(); err != nil {
		return Credit{}, err
	}
	if !hyperlocal.ValidID(id) {
		return Credit{}, ErrRefundNotFound
	}
	c, ok, err := s.config.Store.GetCredit(ctx, tenant, id)
	if err == nil && !ok {
		err = ErrRefundNotFound
	}
	return c, err
}

// Refunds returns the refunds of an order, oldest first. An order that does not exist has none.
func (s *Service) Refunds(ctx context.Context, tenant hyperlocal.TenantID, id ID) ([]Refund, error) {
	if err := problem(tenant.Validate(), checkID(id)); err != nil {
		return nil, err
	}
	return s.config.Store.Refunds(ctx, tenant, id)
}

// Erase removes the personal data of a customer's orders and returns how many it touched.
// The orders themselves stay: they are the books. Nobody is charged by the clock any more:
// what was to be retried is due again, for the shopper to pay. ErrNotErasable if the store
// cannot.
func (s *Service) Erase(ctx context.Context, tenant hyperlocal.TenantID, subject hyperlocal.Ref) (int, error) {
	if err := problem(tenant.Validate(), subject.Validate()); err != nil {
		return 0, err
	}
	if subject.IsZero() {
		return 0, invalid("customer", "name the customer to erase")
	}
	e, ok := s.config.Store.(Eraser)
	if !ok {
		return 0, ErrNotErasable
	}
	var n int
	err := s.config.Tx.WithinTx(ctx, func(ctx context.Context) (err error) {
		if err := s.dropRetries(ctx, tenant, subject); err != nil {
			return err
		}
		n, err = e.Erase(ctx, tenant, subject)
		return err
	})
	return n, err
}

// dropRetries ends the scheduled attempts of a customer's orders. One that is scheduled by a
// payment under way finds no choice to charge with.
func (s *Service) dropRetries(ctx context.Context, tenant hyperlocal.TenantID, customer hyperlocal.Ref) error {
	var keys []Key
	p := hyperlocal.PageRequest{}
	for {
		page, err := s.config.Store.List(ctx, tenant, Filter{Customer: customer, PaymentStatus: PaymentRetry}, p)
		if err != nil {
			return err
		}
		for i := range page.Items {
			keys = append(keys, Key{tenant, page.Items[i].ID})
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			break
		}
	}
	if len(keys) == 0 {
		return nil
	}
	w := s.newWork(s.config.Clock.Now())
	if err := w.lock(ctx, keys); err != nil {
		return err
	}
	for _, c := range w.changes {
		if c.o.PaymentStatus != PaymentRetry {
			continue // it went on meanwhile
		}
		if err := w.pass(ctx, c, TriggerDrop, PaymentCase{Order: &c.o}, w.system("erased")); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// summary is the answer that commands give.
func (o *Order) summary() Summary {
	return Summary{
		ID: o.ID, Number: o.Number, State: o.State, PaymentStatus: o.PaymentStatus, Version: o.Version,
		Total: o.Total, Captured: o.Captured, Refunded: o.Refunded,
	}
}
