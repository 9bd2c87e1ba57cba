package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Execute asks the gateway, outside any transaction, and records its answer in a transaction
// of its own together with journal, owner and outbox. It returns how the operation stands
// for its first owner.
//
// The caller whose Begin stored the operation executes it; so does whoever comes when the
// lease has ended, but only after the gateway was asked what became of the first request. An
// operation that is settled, or that somebody else is executing, is reported as it stands.
// Once the gateway is being asked, the end of ctx stops nothing any more.
//
// A declined or unknown payment is not an error: see the fact's Outcome. Errors:
// payment/not_found; tx/network_inside inside a transaction; payment/not_recorded
// (unknown_outcome) when the answer could not be stored; deadline when ctx had ended before.
func (s *Service) Execute(ctx context.Context, tenant hyperlocal.TenantID, operation string) (hyperlocal.PaymentFact, error) {
	if hyperlocal.InTx(ctx) {
		return hyperlocal.PaymentFact{}, hyperlocal.ErrNetworkInTx
	}
	if err := checkIDs(tenant, []string{operation}); err != nil {
		return hyperlocal.PaymentFact{}, err
	}
	if err := ctx.Err(); err != nil {
		return hyperlocal.PaymentFact{}, errTooLate.WithCause(err)
	}
	now := s.clock.Now()
	if op, ok := s.begun.take(tenant, operation, now); ok {
		return s.send(ctx, &op)
	}
	op, err := s.load(ctx, tenant, operation)
	if err != nil {
		return hyperlocal.PaymentFact{}, err
	}
	if op.Outcome != hyperlocal.OutcomeProcessing || op.NextAt.IsZero() || op.NextAt.After(now) {
		return s.status(ctx, tenant, operation)
	}
	var mine bool
	err = s.tx.WithinTx(ctx, func(ctx context.Context) error {
		var err error
		op, mine, err = s.store.Lease(ctx, tenant, operation, now, now.Add(s.policy.Lease))
		return err
	})
	switch {
	case err != nil:
		return hyperlocal.PaymentFact{}, err
	case !mine:
		return s.status(ctx, tenant, operation)
	}
	return s.resume(ctx, &op)
}

// resume goes on with an operation whose executor did not come back. The caller holds the lease.
func (s *Service) resume(ctx context.Context, op *Operation) (hyperlocal.PaymentFact, error) {
	switch {
	case op.Sent || !op.Open(): // what is settled is never sent, however it came to be settled
		return s.inquire(ctx, op)
	case s.tooLate(op):
		return s.neverSent(ctx, op)
	}
	return s.send(ctx, op)
}

// tooLate tells that a shopper no longer expects to be charged.
func (s *Service) tooLate(op *Operation) bool {
	return !ownersMoney(op.Verb) && s.clock.Now().Sub(op.CreatedAt) >= s.policy.SendWithin
}

func (s *Service) neverSent(ctx context.Context, op *Operation) (hyperlocal.PaymentFact, error) {
	return s.record(ctx, op, &claim{from: fromLookup, Result: Result{
		Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineProviderDown, Code: CodeNeverSent}}, "")
}

var errTooLate = hyperlocal.NewError(hyperlocal.CodeDeadline, "payment/cancelled",
	"the caller's context ended before the gateway was asked")

func (s *Service) status(ctx context.Context, tenant hyperlocal.TenantID, operation string) (hyperlocal.PaymentFact, error) {
	facts, err := s.Status(ctx, tenant, operation)
	if err != nil {
		return hyperlocal.PaymentFact{}, err
	}
	return facts[0], nil
}

// send makes the request and records the answer. The caller holds the lease.
func (s *Service) send(ctx context.Context, op *Operation) (hyperlocal.PaymentFact, error) {
	gw := s.gateways[op.Gateway]
	if gw == nil {
		return s.record(ctx, op, nil, ReasonGatewayGone)
	}
	result := s.call(ctx, func(ctx context.Context) (Result, error) { return ask(ctx, gw, op) })
	if err := s.answered(ctx); err != nil {
		return hyperlocal.PaymentFact{}, err
	}
	return s.record(ctx, op, &claim{Result: result, from: fromAnswer}, "")
}

// inquire looks up what became of an earlier request, and sends it again only if the gateway
// is sure that it never arrived. The caller holds the lease.
func (s *Service) inquire(ctx context.Context, op *Operation) (hyperlocal.PaymentFact, error) {
	gw := s.gateways[op.Gateway]
	if gw == nil {
		return s.record(ctx, op, nil, ReasonGatewayGone)
	}
	known := true
	result := s.call(ctx, func(ctx context.Context) (Result, error) {
		found, err := gw.Lookup(ctx, LookupRequest{Request: op.request(), Verb: op.Verb, Payment: op.Payment, Provider: op.Provider})
		if err != nil {
			// A lookup that did not get through says nothing about the request it asks about.
			return Result{Outcome: hyperlocal.OutcomeUnknown}, nil //nolint:nilerr // unknown is the answer
		}
		known = found.Known
		return found.Result, nil
	})
	if err := s.answered(ctx); err != nil {
		return hyperlocal.PaymentFact{}, err
	}
	if known {
		return s.record(ctx, op, &claim{Result: result, from: fromLookup}, "")
	}
	age := s.clock.Now().Sub(op.BegunAt)
	lifetime := gw.Capabilities().KeyLifetime
	switch {
	case !op.Open():
		return s.record(ctx, op, &claim{Result: Result{Outcome: hyperlocal.OutcomeDeclined}, from: fromLookup}, "")
	case op.Provider != "":
		// It was known once; a gateway that forgets is no proof of anything.
		return s.record(ctx, op, &claim{Result: Result{Outcome: hyperlocal.OutcomeUnknown}, from: fromLookup}, "")
	case lifetime > 0 && age >= lifetime:
		return s.record(ctx, op, nil, ReasonKeyForgotten)
	case s.tooLate(op):
		return s.neverSent(ctx, op)
	}
	return s.send(ctx, op)
}

// Codes of declines that no gateway gave.
const (
	CodeNeverSent = "never_sent" // the gateway never got the request, and now it is too late
	CodeByHand    = "by_hand"    // a person decided that it did not happen
)

func (s *Service) answered(ctx context.Context) error {
	if s.hook == nil {
		return nil
	}
	if err := s.hook(ctx, "pay.after_gateway"); err != nil {
		return ErrNotRecorded.WithCause(err)
	}
	return nil
}

// call makes one gateway call with a deadline. Whatever goes wrong in it, a panic included,
// leaves the outcome unknown unless the gateway says that nothing was sent.
func (s *Service) call(ctx context.Context, fn func(ctx context.Context) (Result, error)) (result Result) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.policy.Timeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			result = Result{Outcome: hyperlocal.OutcomeUnknown, Code: "panic"}
		}
	}()
	result, err := fn(ctx)
	switch {
	case err == nil:
		return tidy(result)
	case errors.Is(err, ErrNotSent):
		return tidy(Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineProviderDown, Code: "not_sent",
			RetryAfter: retryAfter(err)})
	}
	return Result{Outcome: hyperlocal.OutcomeUnknown}
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*hyperlocal.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// tidy bounds what a gateway says, so that no answer is too long or odd to be stored, or puts
// its operation off for ever.
func tidy(r Result) Result {
	r.Provider = bounded(r.Provider, MaxProvider)
	r.Code = bounded(r.Code, MaxProvider)
	r.Action = bounded(r.Action, MaxAction)
	r.RetryAfter = min(max(r.RetryAfter, 0), MaxRetryAfter)
	switch r.Outcome {
	case hyperlocal.OutcomeSucceeded, hyperlocal.OutcomePending, hyperlocal.OutcomeAction, hyperlocal.OutcomeDeclined:
	default:
		r.Outcome = hyperlocal.OutcomeUnknown
	}
	switch r.Class {
	case hyperlocal.DeclineHard, hyperlocal.DeclineSoft, hyperlocal.DeclineRateLimited,
		hyperlocal.DeclineProviderDown, hyperlocal.DeclineInvalid:
	default:
		r.Class = hyperlocal.DeclineHard // the class that nothing is retried for
	}
	if r.Outcome != hyperlocal.OutcomeDeclined {
		r.Class, r.RetryAfter = hyperlocal.DeclineNone, 0
	}
	if !r.Fee.IsValid() || r.Fee.Sign() < 0 {
		r.Fee = hyperlocal.Money{}
	}
	return r
}

// bounded returns printable text of at most limit bytes: what cannot be stored is replaced.
func bounded(text string, limit int) string {
	if hyperlocal.CheckText("payment", "text", text, limit) == nil {
		return text
	}
	if len(text) > limit {
		text = text[:limit]
	}
	return bounded(fmt.Sprintf("%.*q", limit/8, text), limit)
}

func (o *Operation) request() Request {
	return Request{Tenant: o.Tenant, Key: o.Key, Intent: o.Intent, Operation: o.ID, Attempt: o.Attempt, Amount: o.Amount}
}

func ask(ctx context.Context, gw Gateway, op *Operation) (Result, error) {
	switch op.Verb {
	case hyperlocal.VerbCharge, hyperlocal.VerbAuthorize:
		return gw.Authorize(ctx, AuthorizeRequest{Request: op.request(), CaptureNow: op.Verb == hyperlocal.VerbCharge, Method: op.Method})
	case hyperlocal.VerbCapture:
		return gw.Capture(ctx, CaptureRequest{Request: op.request(), Payment: op.Payment})
	case hyperlocal.VerbVoid:
		return gw.Void(ctx, VoidRequest{Request: op.request(), Payment: op.Payment})
	case hyperlocal.VerbRefund:
		return gw.Refund(ctx, RefundRequest{Request: op.request(), Payment: op.Payment})
	}
	return Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineInvalid, Code: "unknown_verb"}, nil
}
