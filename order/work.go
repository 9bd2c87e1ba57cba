package order

import (
	"context"
	"errors"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// work is everything that one transaction does to orders. The steps of a use case change
// orders in memory and note what follows; flush hands all of it to the stores and ports, in
// the lock order and in a constant number of calls whatever the number of orders.
type work struct {
	s   *Service
	now time.Time // recording time, one for the whole transaction

	changes []*change
	byKey   map[Key]*change

	history  []HistoryEntry
	events   []hyperlocal.Envelope
	commits  []stockMove
	releases []stockMove
	returns  []hyperlocal.StockReturn
	begins   []begin
	credits  []*Credit
	refunds  []*Refund // existing ones that changed
	postings []hyperlocal.Posting
	spends   []hyperlocal.SpendReturn // of orders that ended, all kinds

	revivals *revivals // what the stock says to expired orders; nil until it is asked

	// later: nothing is asked of the payment context in this transaction. RunDue does it at
	// once in one of its own, where a refusal takes nothing else back.
	later bool
	// broken is the error of a step that had changed an order already, so that nothing of
	// the transaction may be kept.
	broken error
	// asked are the operations that Begin returned, to be executed after the commit.
	asked  []hyperlocal.PaymentOperation
	sooner bool // something became due sooner than it was
}

// change is one order in a transaction: as it was and as it will be.
type change struct {
	was, o  Order
	refunds []*Refund // of the order, oldest first; loaded where they matter
	dirty   bool
	armed   bool // the next action was set on purpose
	again   bool // a transition led back to its own state, so the timer starts anew
	n       int  // history entries so far
	events  int
	cause   hyperlocal.Cause // of who works on it; zero: that of the context
}

// stockMove is a commit or release of an order's reservations.
type stockMove struct {
	at     time.Time
	actor  hyperlocal.Actor
	reason string
	owner  hyperlocal.TenantRef
}

// begin is a payment operation to be stored.
type begin struct {
	command hyperlocal.PaymentCommand
	taken   func(hyperlocal.PaymentOperation) // is told the operation; nil if nobody asks
	// refused sees to the order when the payment context says no. Nil when whoever asked is
	// told so, and nothing happens.
	refused func(ctx context.Context, why error) error
}

// seenToLater is for operations that somebody asks for again, or sees to in the end.
func seenToLater(context.Context, error) error { return nil }

func (s *Service) newWork(now time.Time) *work {
	return &work{s: s, now: now, byKey: make(map[Key]*change)}
}

// add takes a locked order into the transaction.
func (w *work) add(o Order) {
	c := &change{was: o, o: o}
	// Lines are changed in place (Returned); what was read stays what it was.
	c.o.Lines = append([]Line(nil), o.Lines...)
	w.changes = append(w.changes, c)
	w.byKey[Key{o.Tenant, o.ID}] = c
}

// lock locks orders in the store's order and takes them into the transaction; missing ones
// are left out.
func (w *work) lock(ctx context.Context, keys []Key) error {
	if len(keys) == 0 {
		return nil
	}
	locked, err := w.s.config.Store.Lock(ctx, keys)
	if err != nil {
		return err
	}
	for _, o := range locked {
		if o.ID != "" {
			w.add(o)
		}
	}
	return nil
}

// loadRefunds reads the refunds of those orders in the transaction for which want holds. The
// order's lock covers its refunds: they change only under it.
func (w *work) loadRefunds(ctx context.Context, want func(*change) bool) error {
	ids := make(map[hyperlocal.TenantID][]ID)
	var tenants []hyperlocal.TenantID
	for _, c := range w.changes {
		if !want(c) {
			continue
		}
		if _, ok := ids[c.o.Tenant]; !ok {
			tenants = append(tenants, c.o.Tenant)
		}
		ids[c.o.Tenant] = append(ids[c.o.Tenant], c.o.ID)
	}
	for _, t := range tenants {
		found, err := w.s.config.Store.Refunds(ctx, t, ids[t]...)
		if err != nil {
			return err
		}
		for _, r := range found {
			if c := w.byKey[Key{t, r.Order}]; c != nil {
				c.refunds = append(c.refunds, &r)
			}
		}
	}
	return nil
}

// version is the version that the order will have.
func (c *change) version() int64 { return c.was.Version + 1 }

// note adds a history entry.
func (w *work) note(c *change, machine string, trigger Trigger, from, to string, actor hyperlocal.Actor, at time.Time, reason string) {
	c.dirty = true
	c.n++
	w.history = append(w.history, HistoryEntry{
		ID: w.s.config.IDs.NewID(), Tenant: c.o.Tenant, Order: c.o.ID, Version: c.version(), N: c.n, Machine: machine,
		Trigger: string(trigger), From: from, To: to, Reason: reason, Actor: actor, At: hyperlocal.Instant(at),
	})
}

// changed is the common part of an event, as the order stands now.
func (c *change) changed(at time.Time) Changed { return c.o.changed(c.version(), at) }

func (o *Order) changed(version int64, at time.Time) Changed {
	return Changed{
		Order: o.ID, Number: o.Number, Merchant: o.Merchant, Customer: o.Customer, State: o.State,
		PaymentStatus: o.PaymentStatus, Version: version, Total: o.Total, Captured: o.Captured,
		Refunded: o.Refunded, PlacedAt: o.PlacedAt, At: hyperlocal.Instant(at),
	}
}

// emit adds an event of an order.
func (w *work) emit(ctx context.Context, c *change, actor hyperlocal.Actor, ev hyperlocal.Event) error {
	c.events++
	ctx = hyperlocal.ContextWithCause(ctx, c.cause)
	e, err := hyperlocal.NewEnvelope(ctx, w.s.config.IDs, w.now, c.o.Tenant, actor, c.o.ID.Ref(), c.version(), c.events, ev)
	if err != nil {
		return err
	}
	w.events = append(w.events, e)
	return nil
}

// emitNamed adds the events that a row names.
func (w *work) emitNamed(ctx context.Context, c *change, names []string, actor hyperlocal.Actor, at time.Time, reason string) error {
	for _, name := range names {
		ev, ok := newEvent(name, c.changed(at), slugOnly(reason))
		if !ok {
			return errMachine.With("event", name)
		}
		if err := w.emit(ctx, c, actor, ev); err != nil {
			return err
		}
	}
	return nil
}

// flush writes everything down.
func (w *work) flush(ctx context.Context) error {
	if w.broken != nil {
		return w.broken
	}
	// First, because an order goes another way when its payment is refused.
	if err := w.begin(ctx); err != nil {
		return err
	}
	saved := make([]Order, 0, len(w.changes))
	for _, c := range w.changes {
		if !c.dirty {
			continue
		}
		w.arm(c)
		c.o.Version = c.version()
		c.o.UpdatedAt = w.now
		saved = append(saved, c.o)
	}
	if len(saved) > 0 {
		if err := w.s.config.Store.Save(ctx, saved); err != nil {
			return err
		}
	}
	if err := w.flushRefunds(ctx); err != nil {
		return err
	}
	if len(w.history) > 0 {
		if err := w.s.config.Store.AppendHistory(ctx, w.history); err != nil {
			return err
		}
	}
	if err := w.flushStock(ctx); err != nil {
		return err
	}
	if len(w.postings) > 0 && w.s.config.Journal != nil {
		if err := w.s.config.Journal.Post(ctx, w.postings...); err != nil {
			return err
		}
	}
	// Last of all that locks: it may lock lots, which rank above the journal's accounts.
	if err := w.flushSpends(ctx); err != nil {
		return err
	}
	if len(w.events) > 0 {
		if err := w.s.config.Outbox.Append(ctx, w.events...); err != nil {
			return err
		}
	}
	if w.sooner {
		hyperlocal.AfterCommit(ctx, w.s.config.Wake)
	}
	return nil
}

// begin stores the payment operations and tells those who asked for them. When the payment
// context refuses, it is asked for one after the other: the refusal of one is no other's. All
// that they lock was locked by the first call.
func (w *work) begin(ctx context.Context) error {
	if len(w.begins) == 0 || w.s.config.Payments == nil {
		return nil
	}
	err := w.beginAll(ctx, w.begins)
	if !refusal(err) {
		return err
	}
	for i := range w.begins {
		b := &w.begins[i]
		if len(w.begins) > 1 {
			err = w.beginAll(ctx, w.begins[i:i+1])
		}
		if refusal(err) && b.refused != nil {
			err = b.refused(ctx, err)
		}
		if err != nil {
			return err
		}
	}
	return w.broken
}

// refusal reports whether the payment context said no, as opposed to being unable to answer.
func refusal(err error) bool {
	switch hyperlocal.CodeOf(err) {
	case hyperlocal.CodeInvalid, hyperlocal.CodePrecondition, hyperlocal.CodeNotFound, hyperlocal.CodeExhausted, hyperlocal.CodeConflict,
		hyperlocal.CodeAlreadyExists:
		return !errors.Is(err, hyperlocal.ErrTxRetry)
	default:
		return false
	}
}

func (w *work) beginAll(ctx context.Context, begins []begin) error {
	commands := make([]hyperlocal.PaymentCommand, len(begins))
	for i, b := range begins {
		commands[i] = b.command
	}
	operations, err := w.s.config.Payments.Begin(ctx, commands...)
	if err != nil {
		return err
	}
	if len(operations) != len(begins) {
		return errMachine.WithMessage("the payment port answered %d commands out of %d", len(operations), len(begins))
	}
	for i, b := range begins {
		if b.taken != nil {
			b.taken(operations[i])
		}
	}
	w.asked = append(w.asked, operations...)
	return nil
}

func (w *work) flushRefunds(ctx context.Context) error {
	if len(w.credits) > 0 {
		credits := make([]Credit, len(w.credits))
		for i, c := range w.credits {
			credits[i] = *c
		}
		if err := w.s.config.Store.InsertCredit(ctx, credits...); err != nil {
			return err
		}
	}
	if len(w.refunds) == 0 {
		return nil
	}
	refunds := make([]Refund, len(w.refunds))
	for i, r := range w.refunds {
		refunds[i] = *r
	}
	return w.s.config.Store.SaveRefunds(ctx, refunds)
}
