package order

import (
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// open reports whether money may still move.
func (r *Refund) open() bool { return r.State != RefundFailed && r.State != RefundSucceeded }

// refundable is what was captured and is neither given back nor about to be. What a provider
// gave back on its own counts as well: the order's total of refunds is the higher one then.
func (c *change) refundable() hyperlocal.Money {
	money, err := hyperlocal.NewMoney(max(c.o.Captured.Amount()-c.promised(), 0), c.o.Currency)
	if err != nil {
		return hyperlocal.Money{} // the order's currency was checked when it was placed
	}
	return money
}

// promised is what was given back or is about to be.
func (c *change) promised() int64 {
	var open, succeeded int64
	for _, r := range c.refunds {
		switch {
		case r.open():
			open += r.Amount.Amount()
		case r.State == RefundSucceeded:
			succeeded += r.Amount.Amount()
		}
	}
	return max(succeeded, c.o.Refunded.Amount()) + open
}

// newRefund records a refund within a credit and notes the gateway operation for its money.
func (w *work) newRefund(ctx context.Context, credit *Credit, c *change, amount hyperlocal.Money, items []RefundItem, d doer) error {
	r := Refund{
		ID: w.s.config.IDs.NewID(), Tenant: c.o.Tenant, Order: c.o.ID, Credit: credit.ID, Amount: amount, State: RefundRequested,
		Reason: credit.Reason, Items: items, Version: 1, CreatedAt: w.now, EffectiveAt: credit.EffectiveAt,
	}
	machine := "refund/" + r.ID
	w.note(c, machine, "request", "", string(RefundRequested), d.actor, d.at, d.reason)
	if len(items) > 0 {
		w.putBack(c, machine, "refund", items, d)
	}
	if amount.IsZero() {
		row, err := w.s.refund.Fire(ctx, r.State, TriggerSucceed, "", RefundCase{})
		if err != nil {
			return err
		}
		w.note(c, machine, TriggerSucceed, string(r.State), string(row.To), d.actor, d.at, d.reason)
		r.State = row.To
		if err := w.emit(ctx, c, d.actor, OrderRefunded{Changed: c.changed(d.at), Refund: r.ID, Amount: amount}); err != nil {
			return err
		}
	}
	at := len(credit.Refunds)
	credit.Refunds = append(credit.Refunds, r)
	if !amount.IsZero() {
		w.askRefund(credit, at, c, d)
	}
	c.refunds = append(c.refunds, &r)
	return nil
}

// askRefund notes the operation of a new refund. The worker looks after it in any case.
func (w *work) askRefund(credit *Credit, at int, c *change, d doer) {
	r := &credit.Refunds[at]
	r.NextActionAt = hyperlocal.Instant(w.now.Add(w.s.config.Policy.ExecuteWithin))
	if d.unattended {
		r.NextActionAt = w.now // nobody waits for the answer
		w.sooner = true
	}
	var refused func(context.Context, error) error
	if d.unattended {
		refused = seenToLater // the refund is requested; RunDue asks again, and in the end a person
	}
	w.ask(c, hyperlocal.VerbRefund, r.Amount, r.ID, d, func(op hyperlocal.PaymentOperation) {
		credit.Refunds[at].Operation = op.ID
	}, refused)
}

// refundRest gives back all captured money of an order that has ended.
func (w *work) refundRest(ctx context.Context, c *change, reason string, d doer) error {
	left := c.refundable()
	if left.Sign() <= 0 {
		return nil
	}
	return w.refundSome(ctx, c, left, reason, d)
}

// refundSome gives money of one order back on the service's own account.
func (w *work) refundSome(ctx context.Context, c *change, amount hyperlocal.Money, reason string, d doer) error {
	credit := &Credit{
		ID: w.s.config.IDs.NewID(), Tenant: c.o.Tenant, Merchant: c.o.Merchant, Customer: c.o.Customer, Reason: reason,
		EffectiveAt: hyperlocal.Instant(d.at), CreatedAt: w.now,
	}
	d.reason, d.unattended = reason, true
	if err := w.newRefund(ctx, credit, c, amount, nil, d); err != nil {
		return err
	}
	if err := credit.sum(); err != nil {
		return err
	}
	w.credits = append(w.credits, credit)
	return w.issue(ctx, credit, d)
}

// moveRefund moves a refund along its table, if the table has a row for it.
func (w *work) moveRefund(ctx context.Context, c *change, r *Refund, trigger Trigger, d doer) error {
	v := RefundCase{Owed: c.o.State == Cancelled || c.o.State == Expired}
	if !w.s.refund.Can(r.State, trigger, d.kind, v) {
		return nil
	}
	row, err := w.s.refund.Fire(ctx, r.State, trigger, d.kind, v)
	if err != nil {
		return err
	}
	w.note(c, "refund/"+r.ID, trigger, string(r.State), string(row.To), d.actor, d.at, d.reason)
	r.State = row.To
	w.armRefund(r)
	w.saveRefund(r)
	switch row.To {
	case RefundSucceeded:
		return w.emit(ctx, c, d.actor, OrderRefunded{Changed: c.changed(d.at), Refund: r.ID, Amount: r.Amount})
	case RefundNeedsAttention:
		return w.emit(ctx, c, d.actor, OrderRefundNeedsAttention{Changed: c.changed(d.at), Refund: r.ID, Amount: r.Amount})
	}
	return nil
}

// ReasonCovered is recorded when a refund that waits for a person is closed because its money
// went back another way.
const ReasonCovered = "covered"

// closeCovered closes refunds that wait for a person, latest first, for as long as more is
// promised than was captured: a refund that had been declined succeeded after all, or the
// provider gave the money back on its own. Refunds under way are the payment context's.
func (w *work) closeCovered(ctx context.Context, c *change, d doer) error {
	d.reason = ReasonCovered
	for _, r := range slices.Backward(c.refunds) {
		if c.promised() <= c.o.Captured.Amount() {
			return nil
		}
		if r.State == RefundNeedsAttention {
			if err := w.moveRefund(ctx, c, r, TriggerClose, d.own()); err != nil {
				return err
			}
		}
	}
	return nil
}

// armRefund sets when the clock looks at a refund again.
func (w *work) armRefund(r *Refund) {
	alarm, ok := w.s.refund.table.alarm(w.s.refund.table.timer(r.State))
	if !ok {
		r.NextActionAt = time.Time{}
		return
	}
	r.NextActionAt = hyperlocal.Instant(w.now.Add(alarm.After(w.s.config.Policy)))
	w.sooner = true
}

// saveRefund notes a refund that was stored before and has changed. Its version rises by one
// for everything that the transaction does to it.
func (w *work) saveRefund(r *Refund) {
	if slices.Contains(w.refunds, r) {
		return
	}
	r.Version++
	w.refunds = append(w.refunds, r)
}
