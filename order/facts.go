package order

import (
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// OwnerKind is the kind of Ref under which the payment context knows orders.
const OwnerKind = "order"

// LockOwners locks orders before their payments are locked, in the transaction of ctx.
// ErrNotFound if one does not exist.
func (s *Service) LockOwners(ctx context.Context, owners ...hyperlocal.TenantRef) error {
	keys := make([]Key, len(owners))
	for i, o := range owners {
		k, err := ownerKey(o.Tenant, o.Ref)
		if err != nil {
			return err
		}
		keys[i] = k
	}
	if len(keys) == 0 {
		return nil
	}
	locked, err := s.config.Store.Lock(ctx, keys)
	if err != nil {
		return err
	}
	for i, o := range locked {
		if o.ID == "" {
			return ErrNotFound.With("order", keys[i].ID)
		}
	}
	return nil
}

func ownerKey(tenant hyperlocal.TenantID, ref hyperlocal.Ref) (Key, error) {
	if err := tenant.Validate(); err != nil {
		return Key{}, err
	}
	if ref.Kind != OwnerKind || !hyperlocal.ValidID(ref.ID) {
		return Key{}, ErrNotFound.With("owner", ref)
	}
	return Key{tenant, ID(ref.ID)}, nil
}

// ApplyPayment brings what became known about payments into the orders, in the transaction
// of ctx or in one of its own. In a transaction of the caller, be it a host's, the caller has
// locked the orders with LockOwners before it locked anything of a higher rank; if not, a
// change that comes between makes the transaction fail with code conflict.
//
// Amounts are the fact's totals; what was captured and refunded never falls. A fact that is
// late, repeated or for a state in which it means nothing is recorded in the history (machine
// "fact") and changes nothing else: that is success.
//
// What follows is decided in the same transaction: the order is confirmed; an expired one is
// confirmed when its stock can be had again and nothing that it spent went back (see
// [Returner]); else, and for a cancelled one, the money is to be let go of or given back, as
// is what exceeds the total. A fact can always be recorded: nothing is asked of the payment
// context here, which may refuse. Captures, voids and refunds that follow are due at once,
// and Config.Wake is called for the worker that asks for them.
//
// Errors: ErrNotFound for an order that does not exist; code invalid for another currency
// than the order's. They mean a defect, since the payment context has compared all of it.
func (s *Service) ApplyPayment(ctx context.Context, facts ...hyperlocal.PaymentFact) error {
	if len(facts) == 0 {
		return nil
	}
	keys := make([]Key, len(facts))
	for i := range facts {
		k, err := ownerKey(facts[i].Tenant, facts[i].Owner)
		if err != nil {
			return err
		}
		keys[i] = k
	}
	alone := !hyperlocal.InTx(ctx)
	return s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
		w := s.newWork(s.config.Clock.Now())
		w.later = true
		take := w.read
		if alone { // nobody can have locked them
			take = w.lockOnce
		}
		if err := take(ctx, keys); err != nil {
			return err
		}
		if err := w.loadRefunds(ctx, func(*change) bool { return true }); err != nil {
			return err
		}
		for i := range facts {
			c := w.byKey[keys[i]]
			if c == nil {
				return ErrNotFound.With("order", keys[i].ID)
			}
			c.cause = facts[i].Cause
			if err := w.apply(ctx, c, &facts[i]); err != nil {
				return err
			}
		}
		return w.flush(ctx)
	})
}

// lockOnce locks orders that may be named more than once.
func (w *work) lockOnce(ctx context.Context, keys []Key) error {
	var unique []Key
	for _, k := range keys {
		if !slices.Contains(unique, k) {
			unique = append(unique, k)
		}
	}
	return w.lock(ctx, unique)
}

// read takes orders into the transaction that their caller has locked already. Locking them
// again here, below locks of a higher rank, would be against the lock order.
func (w *work) read(ctx context.Context, keys []Key) error {
	ids := make(map[hyperlocal.TenantID][]ID)
	var tenants []hyperlocal.TenantID
	seen := make(map[Key]bool)
	for _, k := range keys {
		if seen[k] {
			continue
		}
		seen[k] = true
		if ids[k.Tenant] == nil {
			tenants = append(tenants, k.Tenant)
		}
		ids[k.Tenant] = append(ids[k.Tenant], k.ID)
	}
	for _, t := range tenants {
		found, err := w.s.config.Store.Get(ctx, t, ids[t]...)
		if err != nil {
			return err
		}
		for _, o := range found {
			w.add(o)
		}
	}
	return nil
}

// apply brings one fact into its order.
func (w *work) apply(ctx context.Context, c *change, f *hyperlocal.PaymentFact) error {
	d := doer{actor: f.Actor, at: f.At, unattended: true}
	if d.actor.Validate() != nil {
		d.actor = hyperlocal.System("payment")
	}
	if d.at.IsZero() {
		d.at = w.now
	}
	d.at = hyperlocal.Instant(d.at)
	notes, before := c.n, c.o
	if err := c.amounts(f); err != nil {
		return err
	}
	moved := before.Captured != c.o.Captured || before.Refunded != c.o.Refunded || before.Authorized != c.o.Authorized
	if err := w.applyStatus(ctx, c, f, d); err != nil {
		return err
	}
	if err := w.applyRefund(ctx, c, f, before.Refunded, d); err != nil {
		return err
	}
	if err := w.follow(ctx, c, f, &before, d); err != nil {
		return err
	}
	if c.n > notes {
		return nil
	}
	trigger := Trigger(string(f.Verb) + "/" + string(f.Outcome))
	w.note(c, "fact", trigger, string(c.o.PaymentStatus), string(c.o.PaymentStatus), d.actor, d.at, f.Operation)
	if !moved {
		return nil
	}
	// The status covers the new amounts already, such as a part of a part refund.
	return w.emit(ctx, c, d.actor, OrderPaymentChanged{c.changed(d.at)})
}

// amounts takes over the totals of a fact. A late fact has lower ones and changes nothing.
func (c *change) amounts(f *hyperlocal.PaymentFact) error {
	for _, m := range []hyperlocal.Money{f.Amount, f.Authorized, f.Captured, f.Refunded} {
		if m != (hyperlocal.Money{}) && m.Currency() != c.o.Currency {
			return hyperlocal.ErrCurrencyMismatch.With("left", c.o.Currency).With("right", m.Currency())
		}
		if m.Sign() < 0 {
			return invalid("fact", "the amounts of a fact are not negative")
		}
	}
	if f.Captured.Amount() < c.o.Captured.Amount() || f.Refunded.Amount() < c.o.Refunded.Amount() {
		return nil
	}
	set := func(to *hyperlocal.Money, m hyperlocal.Money) {
		if m != (hyperlocal.Money{}) {
			*to = m
		}
	}
	set(&c.o.Captured, f.Captured)
	set(&c.o.Refunded, f.Refunded)
	set(&c.o.Authorized, f.Authorized)
	if c.o.Refunded.Amount() > c.o.Captured.Amount() {
		return invalid("fact", "more was refunded than captured")
	}
	return nil
}

// statusTrigger is what a fact means for the payment status; "" for nothing.
func statusTrigger(f *hyperlocal.PaymentFact) Trigger {
	attempt := f.Verb == hyperlocal.VerbCharge || f.Verb == hyperlocal.VerbAuthorize
	switch f.Outcome {
	case hyperlocal.OutcomeSucceeded:
		switch f.Verb {
		case hyperlocal.VerbCharge, hyperlocal.VerbCapture:
			return TriggerCaptured
		case hyperlocal.VerbAuthorize:
			return TriggerAuthorized
		case hyperlocal.VerbVoid:
			return TriggerReleased
		case hyperlocal.VerbRefund:
			return TriggerGivenBack
		}
	case hyperlocal.OutcomePending, hyperlocal.OutcomeAction:
		if attempt {
			return TriggerPend
		}
	case hyperlocal.OutcomeUnknown:
		if attempt {
			return TriggerLose
		}
	case hyperlocal.OutcomeDeclined:
		if !attempt {
			return ""
		}
		switch f.Class {
		case hyperlocal.DeclineSoft, hyperlocal.DeclineRateLimited, hyperlocal.DeclineProviderDown:
			return TriggerSoft
		}
		return TriggerHard
	}
	return "" // processing: nothing is known yet
}

// applyStatus moves the payment status, if the fact is news.
func (w *work) applyStatus(ctx context.Context, c *change, f *hyperlocal.PaymentFact, d doer) error {
	trigger := statusTrigger(f)
	switch trigger {
	case "":
		return nil
	case TriggerPend, TriggerLose, TriggerSoft, TriggerHard:
		// Only the last attempt can still be open: an echo of an earlier one is old news.
		if !isAttempt(f.Reference, c.o.Attempts) {
			return nil
		}
	}
	again, left := w.s.retryAt(&c.o, f, w.now)
	v := PaymentCase{Order: &c.o, RetryLeft: left}
	if !w.s.payment.Can(c.o.PaymentStatus, trigger, "", v) {
		return nil
	}
	d.reason = slugOnly(string(f.Class))
	if err := w.pass(ctx, c, trigger, v, d); err != nil {
		return err
	}
	if c.o.PaymentStatus == PaymentRetry {
		c.set(TimerPaymentRetry, again)
	}
	return nil
}

// follow does what the new amounts ask for.
func (w *work) follow(ctx context.Context, c *change, f *hyperlocal.PaymentFact, before *Order, d doer) error {
	more, err := c.o.Captured.Sub(before.Captured)
	if err != nil {
		return err
	}
	held := f.Verb == hyperlocal.VerbAuthorize && f.Outcome == hyperlocal.OutcomeSucceeded && c.o.Authorized != before.Authorized
	switch {
	case c.o.State == AwaitingPayment:
		if err := w.settle(ctx, c, d); err != nil {
			return err
		}
	case c.o.State == Expired && (more.Sign() > 0 || held):
		confirmed, err := w.revive(ctx, c, d)
		if err != nil || confirmed {
			return err
		}
		return w.refuse(ctx, c, more, d)
	case c.o.State == Cancelled && (more.Sign() > 0 || held):
		return w.refuse(ctx, c, more, d)
	case f.Verb == hyperlocal.VerbCapture && f.Outcome == hyperlocal.OutcomeDeclined:
		// Sold, and the money that was held for it cannot be had: a person has to decide.
		if c.o.PaymentStatus == PaymentAuthorized {
			if err := w.uncaptured(ctx, c, d); err != nil {
				return err
			}
		}
	case f.Verb == hyperlocal.VerbVoid && f.Outcome == hyperlocal.OutcomeDeclined && w.s.states.Terminal(c.o.State):
		c.set("", time.Time{}) // it will lapse by itself
	}
	return w.trim(ctx, c, before, d)
}

// refuse gives back money that came for an order that has ended. Money that is only held is
// let go of by TimerVoid, which the change has armed.
func (w *work) refuse(ctx context.Context, c *change, more hyperlocal.Money, d doer) error {
	// At most what just came: an earlier payment has its own refund.
	if left := c.refundable(); left.Amount() < more.Amount() {
		more = left
	}
	if more.Sign() <= 0 {
		return nil
	}
	return w.refundSome(ctx, c, more, ReasonLateCapture, d)
}

// trim gives back what was captured beyond the total.
func (w *work) trim(ctx context.Context, c *change, before *Order, d doer) error {
	over := func(o *Order) int64 { return max(o.Captured.Amount()-o.Total.Amount(), 0) }
	excess, err := hyperlocal.NewMoney(over(&c.o)-over(before), c.o.Currency)
	if err != nil {
		return err
	}
	if left := c.refundable(); left.Amount() < excess.Amount() {
		excess = left
	}
	if excess.Sign() <= 0 {
		return nil
	}
	return w.refundSome(ctx, c, excess, ReasonOverCapture, d)
}

// refundTrigger is what a fact means for its refund; "" for nothing.
func refundTrigger(f *hyperlocal.PaymentFact) Trigger {
	if f.Verb != hyperlocal.VerbRefund {
		return ""
	}
	switch f.Outcome {
	case hyperlocal.OutcomeSucceeded:
		return TriggerSucceed
	case hyperlocal.OutcomePending, hyperlocal.OutcomeAction:
		return TriggerPend
	case hyperlocal.OutcomeUnknown:
		return TriggerLose
	case hyperlocal.OutcomeDeclined:
		return TriggerFail
	default:
		return ""
	}
}

// applyRefund moves the refund that a fact names.
func (w *work) applyRefund(ctx context.Context, c *change, f *hyperlocal.PaymentFact, before hyperlocal.Money, d doer) error {
	trigger := refundTrigger(f)
	if trigger == "" {
		return nil
	}
	for _, r := range c.refunds {
		if r.ID != f.Reference {
			continue
		}
		if err := w.moveRefund(ctx, c, r, trigger, d); err != nil {
			return err
		}
		return w.closeCovered(ctx, c, d)
	}
	// The provider gave money back on its own, or somebody asked it past us.
	amount, err := c.o.Refunded.Sub(before)
	if err != nil || amount.Sign() <= 0 {
		return err
	}
	w.note(c, "refund/"+f.Operation, TriggerSucceed, "", string(RefundSucceeded), d.actor, d.at, "")
	if err := w.emit(ctx, c, d.actor, OrderRefunded{Changed: c.changed(d.at), Refund: f.Operation, Amount: amount}); err != nil {
		return err
	}
	return w.closeCovered(ctx, c, d)
}
