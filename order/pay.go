package order

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"slices"
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
	p := paying{command: &c, key: keyOf(c.Tenant, c.Actor, "order.pay", c.Key, digest)}
	if s.intake != nil && !hyperlocal.InTx(ctx) {
		p, err = s.intake.payOne(ctx, &p)
	} else {
		var paid []paying
		if paid, err = s.payAll(ctx, []paying{p}); err == nil {
			p = paid[0]
		}
	}
	if err == nil {
		err = p.err
	}
	if err != nil {
		return PayResult{}, err
	}
	return s.conclude(ctx, c.Tenant, p.result)
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
	now, ok, err := s.get(ctx, Key{tenant, r.Order.ID})
	if err != nil {
		return r, ErrNotReadBack.WithCause(err)
	}
	if ok {
		r.Order = now.summary()
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

// paying is one payment on its way: a command, then what became of it.
type paying struct {
	command *PayCommand
	key     hyperlocal.IdempotencyKey
	cause   hyperlocal.Cause
	mine    bool // the key is ours
	change  *change
	result  PayResult
	err     error
}

// open reports whether the payment is still to be decided.
func (p *paying) open() bool { return p.err == nil && !p.result.Replayed }

// payAll is the transaction that stores attempts, for payments of different orders under
// different keys.
func (s *Service) payAll(ctx context.Context, items []paying) ([]paying, error) {
	var run []paying
	err := s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
		run = slices.Clone(items)
		return s.newWork(s.config.Clock.Now()).payAll(ctx, run)
	})
	return run, err
}

func (w *work) payAll(ctx context.Context, items []paying) error {
	if err := w.claimPays(ctx, items); err != nil {
		return err
	}
	var keys []Key
	for i := range items {
		if c := items[i].command; items[i].open() {
			keys = append(keys, Key{c.Tenant, c.Order})
		}
	}
	if err := w.lock(ctx, keys); err != nil {
		return err
	}
	for i := range items {
		if !items[i].open() {
			continue
		}
		if err := w.pay(ctx, &items[i]); err != nil {
			return err
		}
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	return w.settlePays(ctx, items)
}

// pay begins one payment. A refusal goes to the payment, a defect to the batch.
func (w *work) pay(ctx context.Context, p *paying) error {
	c := p.command
	ch, err := w.find(c.Tenant, c.Order, hyperlocal.Ref{}, c.Customer)
	if err != nil {
		p.err = err
		return nil //nolint:nilerr // a refusal is an answer
	}
	p.change, ch.cause = ch, p.cause
	who := doer{kind: c.Actor.Kind, actor: c.Actor, at: c.At}
	if who.at.IsZero() {
		who.at = w.now
	}
	who.at = hyperlocal.Instant(who.at)
	choice := PaymentChoice{Gateway: c.Gateway, Method: c.Method, Authorize: c.Authorize}
	if err := w.attempt(ctx, ch, choice, who); err != nil {
		if w.broken != nil || hyperlocal.IsCode(err, hyperlocal.CodeInternal) {
			return err
		}
		p.err = err
		return nil
	}
	begun := &w.begins[len(w.begins)-1]
	begun.taken = func(op hyperlocal.PaymentOperation) { p.result.Operation = op.ID }
	begun.refused = func(_ context.Context, why error) error {
		p.err = why
		w.forget(ch)
		return nil
	}
	return nil
}

// forget takes back everything that was noted for an order.
func (w *work) forget(c *change) {
	k := Key{c.was.Tenant, c.was.ID}
	w.history = slices.DeleteFunc(w.history, func(h HistoryEntry) bool { return h.Tenant == k.Tenant && h.Order == k.ID })
	w.events = slices.DeleteFunc(w.events, func(e hyperlocal.Envelope) bool {
		return e.Tenant == k.Tenant && e.Aggregate == k.ID.Ref()
	})
	*c = change{was: c.was, o: c.was, refunds: c.refunds}
}

// claimPays takes the keys, and answers the repeated ones.
func (w *work) claimPays(ctx context.Context, items []paying) error {
	var keys []hyperlocal.IdempotencyKey
	var asked []*paying
	for i := range items {
		if p := &items[i]; !p.key.IsZero() {
			keys = append(keys, p.key)
			asked = append(asked, p)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	claims, err := hyperlocal.ClaimKeys(ctx, w.s.config.Idempotency, keys)
	if err != nil {
		return err
	}
	for i, p := range asked {
		switch claim := claims[i]; {
		case claim.Err != nil:
			p.err = claim.Err
		case claim.Fresh:
			p.mine = true
		default:
			var stored storedPay
			p.err = decode(claim.Result, &stored)
			p.result = PayResult{Order: Summary{ID: stored.Order}, Operation: stored.Operation, Replayed: true}
		}
	}
	return nil
}

// settlePays answers the payments that were begun, and stores the answers of the keys that
// were claimed or frees them.
func (w *work) settlePays(ctx context.Context, items []paying) error {
	var complete, free []hyperlocal.IdempotencyKey
	var results []json.RawMessage
	for i := range items {
		p := &items[i]
		if p.open() {
			p.result.Order, p.result.Outcome = p.change.o.summary(), hyperlocal.OutcomeProcessing // as flush left it
		}
		switch {
		case !p.mine:
		case p.err != nil:
			free = append(free, p.key)
		default:
			raw, err := json.Marshal(storedPay{Order: p.command.Order, Operation: p.result.Operation})
			if err != nil {
				return err
			}
			complete, results = append(complete, p.key), append(results, raw)
		}
	}
	if len(complete) > 0 {
		if err := w.s.config.Idempotency.Complete(ctx, complete, results); err != nil {
			return err
		}
	}
	if len(free) == 0 {
		return nil
	}
	return w.s.config.Idempotency.Free(ctx, free)
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
	var refused func(context.Context, error) error
	if d.unattended {
		refused = func(ctx context.Context, _ error) error { // the shopper may still pay in another way
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
