package order

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// doer is who fires a trigger, when and why.
type doer struct {
	// kind is the kind of actor that the table asks for; "" for the service itself.
	kind   string
	actor  hyperlocal.Actor
	at     time.Time // effective time
	reason string
	// unattended: nobody waits for what is asked of a gateway, so a worker does it at once.
	unattended bool
}

// own returns d as the service itself: what follows from a fact or another transition.
func (d doer) own() doer {
	d.kind = ""
	return d
}

// fire moves the state of an order along the table and notes everything that follows. On an
// error nothing has changed, or the transaction is broken.
func (w *work) fire(ctx context.Context, c *change, trigger Trigger, d doer) error {
	row, err := w.s.states.Fire(ctx, c.o.State, trigger, d.kind, &c.o)
	if err != nil {
		return err
	}
	if err := w.move(ctx, c, row, trigger, d); err != nil {
		w.broken = err
		return err
	}
	return nil
}

// move takes a row of the table.
func (w *work) move(ctx context.Context, c *change, row Row[State], trigger Trigger, d doer) error {
	from, before := c.o.State, w.s.progressOf(&c.o)
	c.o.State = row.To
	c.armed = false // what was armed was armed for the state before
	switch {
	case row.To == NeedsAttention && from != NeedsAttention:
		c.o.ResumeState = from
	case row.To != NeedsAttention:
		c.o.ResumeState = ""
	}
	c.again = c.again || row.To == from
	w.note(c, "state", trigger, string(from), string(row.To), d.actor, d.at, d.reason)
	if err := w.emitNamed(ctx, c, row.Emits, d.actor, d.at, d.reason); err != nil {
		return err
	}
	if row.To == Cancelled || row.To == Expired {
		return w.giveBack(ctx, c, before, trigger, d)
	}
	w.advance(c, from, before, d)
	return nil
}

// advance commits the stock and captures the money when the order passes the stage at which
// the policy says so.
func (w *work) advance(c *change, from State, before int, d doer) {
	after := w.s.progressOf(&c.o)
	passes := func(t Trigger) bool { return before < stage(t) && stage(t) <= after }
	if passes(w.s.config.Policy.CommitOn) && c.stocked() {
		w.commits = append(w.commits, c.move(d))
	}
	if c.o.State == NeedsAttention || c.o.collectable().Sign() <= 0 {
		return
	}
	switch {
	case passes(w.s.config.Policy.CaptureOn), c.was.NextAction == string(TimerCapture):
		w.capture(c, d)
	case from == NeedsAttention && stage(w.s.config.Policy.CaptureOn) <= after:
		// A person has decided that the order goes on, so its money is asked for again. Should
		// the first capture still be under way, this one is refused, and that is that.
		w.ask(c, hyperlocal.VerbCapture, c.o.collectable(), captureReference(c), d, nil, seenToLater)
	}
}

// capture asks for the money that is held.
func (w *work) capture(c *change, d doer) {
	if w.later {
		c.set(TimerCapture, w.now)
		return
	}
	w.ask(c, hyperlocal.VerbCapture, c.o.collectable(), captureReference(c), d, nil, func(ctx context.Context, _ error) error {
		return w.uncaptured(ctx, c, d)
	})
}

// collectable is what may be captured of the money that is held: what the price still lacks, if
// the price is what it is held for. A hold that comes late for an order that was paid another
// way is nobody's to take: it is let go of when the order has ended.
func (o *Order) collectable() hyperlocal.Money {
	if o.PaymentStatus != PaymentAuthorized {
		return hyperlocal.Money{}
	}
	kept, err := o.Captured.Sub(o.Refunded)
	if err != nil {
		return hyperlocal.Money{}
	}
	lacks, err := o.Total.Sub(kept)
	if err != nil || lacks.Amount() >= o.Authorized.Amount() {
		return o.Authorized
	}
	return lacks // none, if it is negative
}

// captureReference names a capture: every time that one is asked for it is another.
func captureReference(c *change) string { return "capture/" + number(c.version()) }

// uncaptured raises an order to a person whose held money cannot be had.
func (w *work) uncaptured(ctx context.Context, c *change, d doer) error {
	if !w.s.states.Can(c.o.State, TriggerAttend, "", &c.o) {
		return nil
	}
	d.reason = ReasonCaptureFailed
	return w.fire(ctx, c, TriggerAttend, d.own())
}

// ReasonCaptureFailed is recorded when money that was authorized could not be captured.
const ReasonCaptureFailed = "capture_failed"

// giveBack undoes what an order holds when it ends without being delivered: reserved stock
// is released, committed stock returns to the shelf, what was spent through participants goes
// back, held money is let go of and captured money refunded.
func (w *work) giveBack(ctx context.Context, c *change, before int, trigger Trigger, d doer) error {
	switch {
	case !c.stocked():
	case before < stage(w.s.config.Policy.CommitOn):
		m := c.move(d)
		m.reason = string(trigger)
		w.releases = append(w.releases, m)
	case !w.s.config.Policy.KeepStock:
		w.putBack(c, "cancel", string(trigger), c.unreturned(), d)
	}
	w.giveSpentBack(c, d)
	if c.o.PaymentStatus == PaymentRetry {
		if err := w.pass(ctx, c, TriggerDrop, PaymentCase{Order: &c.o}, d); err != nil {
			return err
		}
	}
	if c.o.Authorized.Sign() > 0 {
		w.ask(c, hyperlocal.VerbVoid, c.o.Authorized, voidReference(&c.o), d, nil, seenToLater) // TimerVoid asks again
	}
	return w.refundRest(ctx, c, string(trigger), d)
}

// voidReference names the operation that lets go of what the last attempt authorized.
func voidReference(o *Order) string { return "void/" + number(int64(o.Attempts)) }

// settle lets an order go on that has, or does not need, the money that it waits for.
func (w *work) settle(ctx context.Context, c *change, d doer) error {
	if c.o.State == AwaitingPayment && w.s.states.Can(AwaitingPayment, TriggerConfirm, "", &c.o) {
		return w.fire(ctx, c, TriggerConfirm, d.own())
	}
	return nil
}

// ask notes a payment operation to be begun; see begin for taken and refused.
func (w *work) ask(c *change, verb hyperlocal.PaymentVerb, amount hyperlocal.Money, reference string, d doer,
	taken func(hyperlocal.PaymentOperation), refused func(context.Context, error) error,
) {
	if w.later {
		return
	}
	w.begins = append(w.begins, begin{taken: taken, refused: refused, command: hyperlocal.PaymentCommand{
		Tenant: c.o.Tenant, Owner: c.o.ID.Ref(), Merchant: c.o.Merchant, Customer: c.o.Customer,
		Verb: verb, Amount: amount, Reference: reference, Gateway: c.o.PaidWith.gateway(), Method: c.o.PaidWith.Method,
		Actor: d.actor, At: d.at,
	}})
}

// putBack notes units that return to the shelf.
func (w *work) putBack(c *change, reference, reason string, items []RefundItem, d doer) {
	back := hyperlocal.StockReturn{
		Tenant: c.o.Tenant, Owner: c.o.ID.Ref(), Reference: reference, Reason: reason, At: d.at, Actor: d.actor,
	}
	for _, it := range items {
		l := &c.o.Lines[it.Line-1]
		l.Returned += it.Quantity.Value()
		if l.Item != "" && it.Restock {
			back.Items = append(back.Items, hyperlocal.ItemQuantity{Item: l.Item, Location: l.Location, Quantity: it.Quantity})
		}
	}
	c.dirty = true
	if len(back.Items) > 0 {
		w.returns = append(w.returns, back)
	}
}

// unreturned are all units that the customer has not given back yet.
func (c *change) unreturned() []RefundItem {
	var items []RefundItem
	for i := range c.o.Lines {
		l := &c.o.Lines[i]
		if left, ok := l.left(); ok {
			items = append(items, RefundItem{Line: l.N, Quantity: left, Restock: true})
		}
	}
	return items
}

// left is what can still be given back of a line; false if nothing.
func (l *Line) left() (hyperlocal.Quantity, bool) {
	left, err := hyperlocal.NewQuantity(l.Quantity.Value()-l.Returned, l.Quantity.Unit())
	return left, err == nil && left.Sign() > 0
}

// stocked reports whether any line holds stock.
func (c *change) stocked() bool { return c.o.stocked() }

func (o *Order) stocked() bool {
	for i := range o.Lines {
		if o.Lines[i].Item != "" {
			return true
		}
	}
	return false
}

func (c *change) move(d doer) stockMove { return c.o.move(d) }

func (o *Order) move(d doer) stockMove {
	return stockMove{at: d.at, actor: d.actor, owner: hyperlocal.TenantRef{Tenant: o.Tenant, Ref: o.ID.Ref()}}
}
