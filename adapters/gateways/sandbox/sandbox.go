package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Config is what a Gateway is built from. The zero value is a gateway with a log in memory,
// without fees and webhooks.
type Config struct {
	Name  string           // "" means "sandbox"
	Log   Log              // nil: in memory
	Clock hyperlocal.Clock // nil: the system's
	Fee   Fee
	// Deliver, if set, is called with every webhook, from within the request that causes it
	// and before that is answered. A webhook it refuses is kept for Flush.
	Deliver func(ctx context.Context, w Webhook) error
	// Secret signs webhooks: at least 24 bytes, required with Deliver. Without one every
	// webhook is refused.
	Secret []byte
	// Script, if set, replaces the method of every call by the steps that it returns.
	Script func(c Call) string
	// Sleep waits; nil means with a timer. For tests that own time.
	Sleep func(ctx context.Context, d time.Duration) error
	// Without takes abilities away, to see how a host gets along with a poorer gateway.
	Without Without
}

// Without lists abilities to take away.
type Without struct {
	PartialCapture, MultiCapture, PartialRefund bool
	Verbs                                       []hyperlocal.PaymentVerb
	KeyLifetime                                 time.Duration // how long keys are claimed to be remembered
}

// Fee is what the gateway keeps of every charge and capture: a share and a fixed amount in
// minor units of the payment's currency.
type Fee struct {
	BasisPoints int64
	Fixed       int64
}

// Gateway implements [payment.Gateway] and [payment.WebhookParser].
type Gateway struct {
	name    string
	log     Log
	clock   hyperlocal.Clock
	fee     Fee
	deliver func(ctx context.Context, w Webhook) error
	signer  *payment.Signer // nil without a secret
	script  func(c Call) string
	sleep   func(ctx context.Context, d time.Duration) error
	can     payment.Capabilities

	mu    sync.Mutex
	calls map[Call]int // by verb, tenant and key alone
	held  []Webhook
}

var (
	_ payment.Gateway       = (*Gateway)(nil)
	_ payment.WebhookParser = (*Gateway)(nil)
)

// errLost stands for what a broken connection leaves behind.
var errLost = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "sandbox/lost", "the connection broke before an answer came")

// New builds a Gateway. Errors: invalid for an odd name or fee, payment/weak_secret.
func New(c Config) (*Gateway, error) {
	g := &Gateway{
		name: c.Name, log: c.Log, clock: c.Clock, fee: c.Fee, deliver: c.Deliver, script: c.Script, sleep: c.Sleep,
		calls: make(map[Call]int),
	}
	var errs []error
	if g.name == "" {
		g.name = "sandbox"
	}
	if g.log == nil {
		g.log = &MemoryLog{}
	}
	if g.clock == nil {
		g.clock = hyperlocal.SystemClock{}
	}
	if g.sleep == nil {
		g.sleep = sleep
	}
	if c.Fee.BasisPoints < 0 || c.Fee.BasisPoints > 10_000 || c.Fee.Fixed < 0 {
		errs = append(errs, hyperlocal.Invalid("sandbox", "fee", "a fee is 0 to 10000 basis points and not negative"))
	}
	if c.Secret != nil || c.Deliver != nil {
		var err error
		if g.signer, err = payment.NewSigner(0, c.Secret); err != nil {
			errs = append(errs, err)
		}
	}
	g.can = payment.Capabilities{
		PartialCapture: !c.Without.PartialCapture, MultiCapture: !c.Without.MultiCapture,
		PartialRefund: !c.Without.PartialRefund, Methods: []string{"sandbox"}, KeyLifetime: c.Without.KeyLifetime,
	}
	for _, v := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbAuthorize, hyperlocal.VerbCapture,
		hyperlocal.VerbVoid, hyperlocal.VerbRefund} {
		if !(payment.Capabilities{Verbs: c.Without.Verbs}).Can(v) {
			g.can.Verbs = append(g.can.Verbs, v)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return g, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Name implements [payment.Gateway].
func (g *Gateway) Name() string { return g.name }

// Capabilities implements [payment.Gateway].
func (g *Gateway) Capabilities() payment.Capabilities { return g.can }

// Log returns the charge log.
func (g *Gateway) Log() Log { return g.log }

// Statement returns what has succeeded, for an intent, or for the whole tenant if intent is
// "", oldest first: what a provider's statement would say.
func (g *Gateway) Statement(ctx context.Context, tenant hyperlocal.TenantID, intent string) ([]Record, error) {
	records, err := g.log.Records(ctx, tenant, intent)
	if err != nil {
		return nil, err
	}
	var done []Record
	for _, r := range records {
		if r = g.settled(r); r.Outcome == hyperlocal.OutcomeSucceeded {
			done = append(done, r)
		}
	}
	return done, nil
}

// Authorize implements [payment.Gateway].
func (g *Gateway) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	return g.handle(ctx, r.Request, r.Verb(), r.Method, "")
}

// Capture implements [payment.Gateway].
func (g *Gateway) Capture(ctx context.Context, r payment.CaptureRequest) (payment.Result, error) {
	return g.handle(ctx, r.Request, hyperlocal.VerbCapture, "", r.Payment)
}

// Void implements [payment.Gateway].
func (g *Gateway) Void(ctx context.Context, r payment.VoidRequest) (payment.Result, error) {
	return g.handle(ctx, r.Request, hyperlocal.VerbVoid, "", r.Payment)
}

// Refund implements [payment.Gateway].
func (g *Gateway) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	return g.handle(ctx, r.Request, hyperlocal.VerbRefund, "", r.Payment)
}

// Lookup implements [payment.Gateway].
func (g *Gateway) Lookup(ctx context.Context, r payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	if hyperlocal.InTx(ctx) {
		return none, hyperlocal.ErrNetworkInTx
	}
	rec, ok, err := g.log.Find(ctx, r.Tenant, r.Key)
	if err != nil {
		return none, err
	}
	steps, readable := g.steps(r.Request, VerbLookup, rec.Method)
	if readable {
		switch {
		case strikes(steps.refusals, steps.refusal != "", g.count(r.Request, VerbLookup)):
			return none, errLost.WithMessage("the provider is down")
		case steps.delay > 0:
			if err := g.sleep(ctx, steps.delay); err != nil {
				return none, err
			}
		}
	}
	if !ok {
		return none, nil
	}
	return payment.LookupResult{Known: true, Result: g.result(rec)}, nil
}

func (g *Gateway) handle(ctx context.Context, r payment.Request, verb hyperlocal.PaymentVerb, method, root string) (payment.Result, error) {
	none := payment.Result{}
	if hyperlocal.InTx(ctx) {
		return none, hyperlocal.ErrNetworkInTx
	}
	if !g.can.Can(verb) {
		return refused(hyperlocal.DeclineInvalid, "verb_not_supported"), nil
	}
	if r.Key == "" || r.Amount.Sign() <= 0 || !r.Amount.IsValid() {
		return refused(hyperlocal.DeclineInvalid, "bad_request"), nil
	}
	past, err := g.log.Records(ctx, r.Tenant, r.Intent)
	if err != nil {
		return none, err
	}
	if root != "" {
		for _, p := range past {
			if p.Provider == root {
				method = p.Method
			}
		}
	}
	wanted := Record{
		Tenant: r.Tenant, Key: r.Key, Intent: r.Intent, Operation: r.Operation, Attempt: r.Attempt, Verb: verb,
		Amount: r.Amount, Method: method, Payment: root, Provider: reference(r),
	}
	if root == "" {
		wanted.Payment = wanted.Provider
	}
	for _, p := range past {
		if p.Key == r.Key {
			return g.replay(p, wanted), nil
		}
	}
	steps, readable := g.steps(r, verb, method)
	if readable {
		n := 0
		if steps.loseRequests > 0 || steps.refusals > 0 {
			n = g.count(r, verb)
		}
		switch {
		case strikes(steps.refusals, steps.refusal != "", max(r.Attempt, n)):
			return refused(steps.refusal, string(steps.refusal)), nil
		case steps.loseRequests > 0 && n <= steps.loseRequests:
			return none, errLost
		}
	}
	rec, fresh, err := g.log.Append(ctx, r.Tenant, r.Intent, r.Key, func(past []Record) (Record, error) {
		return g.decide(past, wanted, steps, readable)
	})
	if err != nil {
		return none, err
	}
	if !fresh {
		return g.replay(rec, wanted), nil
	}
	g.announce(ctx, rec, steps)
	if steps.delay > 0 {
		if err := g.sleep(ctx, steps.delay); err != nil {
			return none, err
		}
	}
	if steps.loseAnswer {
		return none, errLost
	}
	return g.result(rec), nil
}

// strikes reports whether a fault that strikes the first limit times (0: always) strikes the n-th.
func strikes(limit int, on bool, n int) bool { return on && (limit == 0 || n <= limit) }

func (g *Gateway) steps(r payment.Request, verb hyperlocal.PaymentVerb, method string) (plan, bool) {
	if g.script != nil {
		g.mu.Lock()
		n := g.calls[countKey(r, verb)] + 1
		g.calls[countKey(r, verb)] = n
		g.mu.Unlock()
		method = g.script(Call{Verb: verb, Tenant: r.Tenant, Intent: r.Intent, Key: r.Key, Attempt: r.Attempt,
			Amount: r.Amount, Method: method, N: n})
	}
	return parsePlan(method, verb)
}

func countKey(r payment.Request, verb hyperlocal.PaymentVerb) Call {
	return Call{Verb: verb, Tenant: r.Tenant, Key: r.Key}
}

// maxCounted bounds the memory of how often a key was asked for; it only serves faults.
const maxCounted = 100_000

// count tells how often the key was asked for; with a script, steps has counted already.
func (g *Gateway) count(r payment.Request, verb hyperlocal.PaymentVerb) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := countKey(r, verb)
	if g.script == nil {
		if len(g.calls) >= maxCounted {
			clear(g.calls)
		}
		g.calls[k]++
	}
	return g.calls[k]
}

// replay answers a key that was processed before.
func (g *Gateway) replay(rec, wanted Record) payment.Result {
	if rec.Verb != wanted.Verb || rec.Amount != wanted.Amount || rec.Intent != wanted.Intent ||
		rec.Method != wanted.Method || rec.Payment != wanted.Payment {
		return refused(hyperlocal.DeclineInvalid, "idempotency_key_reused")
	}
	return g.result(rec)
}

func refused(class hyperlocal.DeclineClass, code string) payment.Result {
	r := payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: class, Code: code}
	if class == hyperlocal.DeclineRateLimited {
		r.RetryAfter = 30 * time.Second
	}
	return r
}

// decide is the provider's book-keeping: it accepts or declines, and never lets more out
// than came in.
func (g *Gateway) decide(past []Record, r Record, steps plan, readable bool) (Record, error) {
	r.At = g.clock.Now()
	decline := func(class hyperlocal.DeclineClass, code string) (Record, error) {
		r.Outcome, r.Class, r.Code = hyperlocal.OutcomeDeclined, class, code
		return r, nil
	}
	if !readable {
		return decline(hyperlocal.DeclineInvalid, "unknown_method")
	}
	if code := g.refusal(past, r); code != "" {
		return decline(hyperlocal.DeclineInvalid, code)
	}
	if strikes(steps.declines, steps.decline != "", r.Attempt) {
		return decline(steps.decline, declineCode(steps.decline))
	}
	switch {
	case steps.action:
		r.Outcome = hyperlocal.OutcomeAction
	case steps.pending:
		r.Outcome = hyperlocal.OutcomePending
		if steps.after > 0 {
			r.ReadyAt = r.At.Add(steps.after)
		}
	default:
		r.Outcome = hyperlocal.OutcomeSucceeded
	}
	var err error
	r.Fee, err = g.feeOf(r)
	return r, err
}

func declineCode(class hyperlocal.DeclineClass) string {
	switch class {
	case hyperlocal.DeclineHard:
		return "do_not_honour"
	case hyperlocal.DeclineSoft:
		return "insufficient_funds"
	}
	return "invalid_request"
}

// refusal says why the request contradicts what happened before, or "".
func (g *Gateway) refusal(past []Record, r Record) string {
	if r.Verb == hyperlocal.VerbCharge || r.Verb == hyperlocal.VerbAuthorize {
		return ""
	}
	var root *Record
	var held, captured, refunded int64
	for i := range past {
		p := &past[i]
		if p.Payment != r.Payment || !g.counts(p) {
			continue
		}
		amount := p.Amount.Amount()
		switch p.Verb {
		case hyperlocal.VerbCharge:
			root, captured = p, captured+amount
		case hyperlocal.VerbAuthorize:
			root, held = p, held+amount
		case hyperlocal.VerbCapture:
			captured += amount
			held -= amount
			if !g.can.MultiCapture {
				held = 0
			}
		case hyperlocal.VerbVoid:
			held = 0
		case hyperlocal.VerbRefund:
			refunded += amount
		}
	}
	amount := r.Amount.Amount()
	switch {
	case root == nil || g.settled(*root).Outcome != hyperlocal.OutcomeSucceeded:
		return "no_such_payment"
	case root.Amount.Currency() != r.Amount.Currency():
		return "currency_differs"
	case r.Verb == hyperlocal.VerbCapture && amount > held:
		return "capture_exceeds_held"
	case r.Verb == hyperlocal.VerbCapture && !g.can.PartialCapture && amount != held:
		return "partial_capture"
	case r.Verb == hyperlocal.VerbVoid && (held == 0 || amount != held):
		return "nothing_held"
	case r.Verb == hyperlocal.VerbRefund && amount > captured-refunded:
		return "refund_exceeds_captured"
	case r.Verb == hyperlocal.VerbRefund && !g.can.PartialRefund && amount != captured:
		return "partial_refund"
	}
	return ""
}

// counts reports whether a record holds or moves money, or still may.
func (g *Gateway) counts(r *Record) bool { return r.Outcome != hyperlocal.OutcomeDeclined }

// settled returns the record as it stands now: some pending ones succeed by themselves.
func (g *Gateway) settled(r Record) Record {
	if r.Outcome == hyperlocal.OutcomePending && !r.ReadyAt.IsZero() && !r.ReadyAt.After(g.clock.Now()) {
		r.Outcome = hyperlocal.OutcomeSucceeded
	}
	return r
}

// feeOf is the fee for money that comes in.
func (g *Gateway) feeOf(r Record) (hyperlocal.Money, error) {
	if g.fee == (Fee{}) || (r.Verb != hyperlocal.VerbCharge && r.Verb != hyperlocal.VerbCapture) {
		return hyperlocal.Money{}, nil
	}
	share, err := r.Amount.MulRate(decimal.New(g.fee.BasisPoints, -4), hyperlocal.RoundHalfEven)
	if err != nil {
		return hyperlocal.Money{}, err
	}
	fixed, err := hyperlocal.NewMoney(g.fee.Fixed, r.Amount.Currency())
	if err != nil {
		return hyperlocal.Money{}, err
	}
	return share.Add(fixed)
}

func (g *Gateway) result(rec Record) payment.Result {
	rec = g.settled(rec)
	r := payment.Result{Outcome: rec.Outcome, Provider: rec.Provider, Amount: rec.Amount, Class: rec.Class, Code: rec.Code}
	switch rec.Outcome {
	case hyperlocal.OutcomeSucceeded:
		r.Fee = rec.Fee
	case hyperlocal.OutcomeAction:
		r.Action = "https://sandbox.invalid/confirm/" + rec.Provider
	}
	return r
}

// reference is a provider's reference: derived from the key, so that runs can be repeated.
func reference(r payment.Request) string { return "sbx_" + digest(string(r.Tenant), r.Key) }

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))[:24]
}

// Complete ends a request that waits: the shopper has confirmed or given up. It sends the
// webhook. Errors: payment/not_found; payment/not_open if it does not wait.
func (g *Gateway) Complete(ctx context.Context, tenant hyperlocal.TenantID, key string, success bool) error {
	rec, ok, err := g.log.Change(ctx, tenant, key, func(r Record) (Record, error) {
		if r.Outcome != hyperlocal.OutcomeAction && r.Outcome != hyperlocal.OutcomePending {
			return r, payment.ErrNotOpen
		}
		r.Outcome = hyperlocal.OutcomeSucceeded
		if !success {
			r.Outcome, r.Class, r.Code, r.Fee = hyperlocal.OutcomeDeclined, hyperlocal.DeclineHard, "given_up", hyperlocal.Money{}
		}
		return r, nil
	})
	switch {
	case err != nil:
		return err
	case !ok:
		return payment.ErrNotFound
	}
	steps, _ := parsePlan(rec.Method, rec.Verb)
	g.announce(ctx, rec, steps)
	return nil
}
