package order

import (
	"context"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Pay pays, or authorizes, what is due of an order. The attempt is committed first; then the
// gateway is asked, outside any transaction; what it says is recorded in a transaction that
// also moves the order (see ApplyPayment). Inside the caller's own transaction only the
// attempt is stored, the outcome is processing, and a worker asks the gateway after the commit.
//
// A declined or unknown payment is no error: see Outcome, and Class for what a decline means.
// A soft decline is tried again by itself as the policy says; the shopper may be faster.
//
// A repeated key is answered with how that attempt stands now, Replayed; while the gateway is
// being asked, with ErrKeyInProgress.
//
// Errors: code invalid for bad input; ErrNotFound; ErrNothingDue; ErrPaymentUnderWay while
// the outcome of an earlier attempt is open; ErrTooManyAttempts; ErrNotAllowed in any state
// but awaiting_payment; ErrNotConfigured; what the payment context refuses; code
// unknown_outcome, with the result so far, when the gateway's answer could not be recorded, or
// was and the order cannot be read back (ErrNotReadBack): ask again under the same key.
func (s *Service) Pay(ctx context.Context, c PayCommand) (PayResult, error) {
	if err := c.validate(); err != nil {
		return PayResult{}, err
	}
	if s.config.Payments == nil {
		return PayResult{}, ErrNotConfigured.With("missing", "payments")
	}
	digest, err := hyperlocal.Fingerprint(c.Order, c.Customer, c.Gateway, c.Method, c.Authorize, hyperlocal.Instant(c.At))
	if err != nil {
		return PayResult{}, err
	}
	var result PayResult
	err = s.config.Tx.WithinTx(ctx, func(ctx context.Context) (err error) {
		result, err = s.newWork(s.config.Clock.Now()).pay(ctx, &c, keyOf(c.Tenant, c.Actor, "order.pay", c.Key, digest))
		return err
	})
	if err != nil {
		return PayResult{}, err
	}
	return s.conclude(ctx, c.Tenant, result)
}

func (c *PayCommand) validate() error {
	return problem(
		c.Tenant.Validate(),
		c.Actor.Validate(),
		hyperlocal.IdempotencyKey{Tenant: c.Tenant, Key: c.Key}.Validate(),
		c.Customer.Validate(),
		hyperlocal.CheckText("order", "gateway", c.Gateway, maxLabel),
		hyperlocal.CheckText("order", "method", c.Method, maxMethod),
		checkAt("at", c.At),
		checkID(c.Order),
	)
}

// conclude asks the gateway about a stored attempt and reports how the order stands then.
func (s *Service) conclude(ctx context.Context, tenant hyperlocal.TenantID, r PayResult) (PayResult, error) {
	var (
		fact hyperlocal.PaymentFact
		err  error
	)
	if hyperlocal.InTx(ctx) {
		if !r.Replayed {
			return r, nil
		}
		facts, err := s.config.Payments.Status(ctx, tenant, r.Operation)
		if err != nil || len(facts) != 1 {
			return r, err
		}
		fact = facts[0]
	} else if fact, err = s.config.Payments.Execute(ctx, tenant, r.Operation); err != nil {
		return r, err
	}
	if r.Replayed && fact.Outcome == hyperlocal.OutcomeProcessing {
		return PayResult{}, hyperlocal.ErrKeyInProgress
	}
	r.Outcome, r.Class, r.Code, r.Action = fact.Outcome, fact.Class, fact.Code, fact.Action
	// The money has moved: that the caller's time is up must not read as if nothing had.
	if !hyperlocal.InTx(ctx) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), readBackWithin)
		defer cancel()
	}
	now, err := s.config.Store.Get(ctx, tenant, r.Order.ID)
	if err != nil {
		return r, ErrNotReadBack.WithCause(err)
	}
	if len(now) == 1 {
		r.Order = now[0].summary()
	}
	return r, nil
}

// readBackWithin bounds how long Pay goes on after its caller has given up.
const readBackWithin = 5 * time.Second

// storedPay is what idempotency keeps of a payment: the attempt. The rest is read afresh.
type storedPay struct {
	Order     ID     `json:"order"`
	Operation string `json:"operation"`
}

// pay is the transaction that stores an attempt.
func (w *work) pay(ctx context.Context, c *PayCommand, key hyperlocal.IdempotencyKey) (PayResult, error) {
	if !key.IsZero() {
		claims, err := w.s.config.Idempotency.Claim(ctx, []hyperlocal.IdempotencyKey{key})
		switch {
		case err != nil:
			return PayResult{}, err
		case claims[0].Err != nil:
			return PayResult{}, claims[0].Err
		case !claims[0].Fresh:
			var stored storedPay
			err := decode(claims[0].Result, &stored)
			return PayResult{Order: Summary{ID: stored.Order}, Operation: stored.Operation, Replayed: true}, err
		}
	}
	if err := w.lock(ctx, []Key{{c.Tenant, c.Order}}); err != nil {
		return PayResult{}, err
	}
	ch, err := w.find(c.Tenant, c.Order, hyperlocal.Ref{}, c.Customer)
	if err != nil {
		return PayResult{}, err
	}
	who := doer{kind: c.Actor.Kind, actor: c.Actor, at: c.At}
	if who.at.IsZero() {
		who.at = w.now
	}
	who.at = hyperlocal.Instant(who.at)
	choice := PaymentChoice{Gateway: c.Gateway, Method: c.Method, Authorize: c.Authorize}
	if err := w.attempt(ctx, ch, choice, who); err != nil {
		return PayResult{}, err
	}
	if err := w.flush(ctx); err != nil {
		return PayResult{}, err
	}
	result := PayResult{Order: ch.o.summary(), Operation: w.asked[0].ID, Outcome: hyperlocal.OutcomeProcessing}
	return result, w.s.remember(ctx, key, storedPay{Order: c.Order, Operation: result.Operation})
}

// attempt begins a payment of what is due.
func (w *work) attempt(ctx context.Context, c *change, choice PaymentChoice, d doer) error {
	o := &c.o
	switch {
	case o.PaymentStatus == PaymentProcessing, o.PaymentStatus == PaymentUnknown:
		return ErrPaymentUnderWay.WithRetryAfter(time.Second)
	case o.State == AwaitingPayment:
	case o.PaymentStatus == PaymentDue, o.PaymentStatus == PaymentRetry:
		return ErrNotAllowed.With("state", o.State).With("trigger", "pay")
	default:
		return ErrNothingDue
	}
	due, err := c.due()
	if err != nil {
		return err
	}
	if due.Sign() <= 0 {
		return ErrNothingDue
	}
	if o.Attempts >= w.s.config.Policy.MaxAttempts {
		return ErrTooManyAttempts
	}
	if err := w.pass(ctx, c, TriggerBegin, PaymentCase{Order: o}, d); err != nil {
		return err
	}
	o.Attempts++
	if choice.Gateway == "" {
		choice.Gateway = DefaultGateway
	}
	o.PaidWith = choice
	verb := hyperlocal.VerbCharge
	if choice.Authorize {
		verb = hyperlocal.VerbAuthorize
	}
	var refused func(context.Context) error
	if d.unattended {
		refused = func(ctx context.Context) error { // the shopper may still pay in another way
			return w.pass(ctx, c, TriggerHard, PaymentCase{Order: o}, d)
		}
	}
	w.ask(c, verb, due, attemptReference(o.Attempts), d, nil, refused)
	return nil
}

// due is what is neither captured nor held.
func (c *change) due() (hyperlocal.Money, error) {
	net, err := c.o.Captured.Sub(c.o.Refunded)
	if err != nil {
		return hyperlocal.Money{}, err
	}
	due, err := c.o.Total.Sub(net)
	if err != nil {
		return hyperlocal.Money{}, err
	}
	return due.Sub(c.o.Authorized)
}

// pass moves the payment status along its table.
func (w *work) pass(ctx context.Context, c *change, trigger Trigger, v PaymentCase, d doer) error {
	from := c.o.PaymentStatus
	row, err := w.s.payment.Fire(ctx, from, trigger, "", v)
	if err != nil {
		return err
	}
	c.o.PaymentStatus = row.To
	w.note(c, "payment", trigger, string(from), string(row.To), d.actor, d.at, d.reason)
	if err := w.emitNamed(ctx, c, row.Emits, d.actor, d.at, d.reason); err != nil {
		w.broken = err
		return err
	}
	return nil
}

const attemptPrefix = "attempt/"

// attemptReference names the operation of attempt n, so that the same attempt is never made twice.
func attemptReference(n int) string { return attemptPrefix + strconv.Itoa(n) }

// isAttempt reports whether a fact is about attempt n.
func isAttempt(reference string, n int) bool {
	text, ok := strings.CutPrefix(reference, attemptPrefix)
	return ok && text == strconv.Itoa(n)
}

// retryAt says when the system charges again after a decline, and false if it does not: the
// class is hard, the schedule has ended, the deadline comes first, or the choice of the shopper
// was erased.
func (s *Service) retryAt(o *Order, f *hyperlocal.PaymentFact, now time.Time) (time.Time, bool) {
	if o.State != AwaitingPayment || o.Attempts >= s.config.Policy.MaxAttempts || !o.PaidWith.known() {
		return time.Time{}, false
	}
	gap, ok := s.config.Policy.Retry[f.Class].Next(o.Attempts, spread(f.Operation))
	if !ok {
		return time.Time{}, false
	}
	at := now.Add(max(gap, f.RetryAfter))
	return at, at.Before(o.CreatedAt.Add(s.config.Policy.PaymentWithin))
}

// spread turns an id into a number for jitter: random enough to keep retries apart, and the
// same whenever the transaction is run again.
func spread(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return h.Sum64()
}
