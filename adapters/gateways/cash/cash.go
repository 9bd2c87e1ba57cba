package cash

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Method tokens: where the shopper pays. They are for display; "" is either.
const (
	MethodDelivery = "delivery"
	MethodCounter  = "counter"
)

// Errors of this package.
var (
	ErrNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "cash/not_found",
		"there is no such request for cash")
	ErrNotWaiting = hyperlocal.NewError(hyperlocal.CodePrecondition, "cash/not_waiting",
		"nothing waits to be confirmed or declined here; what is done stays done, see the record")
	ErrReferenceConflict = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "cash/reference_conflict",
		"the reference belongs to a settlement with other content; choose a new reference")
)

const (
	maxHolder    = 64
	maxReference = 128
)

// Config is what a Gateway is built from. The zero value is valid.
type Config struct {
	Name  string           // "" means "cash"
	Log   Log              // nil: in memory, lost with the process
	Clock hyperlocal.Clock // nil: the system's
}

// Gateway implements [payment.Gateway]. It is safe for concurrent use.
type Gateway struct {
	name  string
	log   Log
	clock hyperlocal.Clock
}

var _ payment.Gateway = (*Gateway)(nil)

// New builds a Gateway.
func New(c Config) (*Gateway, error) {
	g := &Gateway{name: c.Name, log: c.Log, clock: c.Clock}
	if g.name == "" {
		g.name = "cash"
	}
	if g.log == nil {
		g.log = &MemoryLog{}
	}
	if g.clock == nil {
		g.clock = hyperlocal.SystemClock{}
	}
	if len(g.name) > payment.MaxGateway {
		return nil, hyperlocal.Invalid("cash", "name", "has at most 32 characters")
	}
	return g, nil
}

// Name implements [payment.Gateway].
func (g *Gateway) Name() string { return g.name }

// Capabilities implements [payment.Gateway]: everything, but one capture ends a promise.
func (g *Gateway) Capabilities() payment.Capabilities {
	return payment.Capabilities{
		Verbs: []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbAuthorize, hyperlocal.VerbCapture,
			hyperlocal.VerbVoid, hyperlocal.VerbRefund},
		PartialCapture: true, PartialRefund: true, Methods: []string{MethodDelivery, MethodCounter},
	}
}

// Authorize implements [payment.Gateway].
func (g *Gateway) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	if r.Method != "" && r.Method != MethodDelivery && r.Method != MethodCounter {
		return refused("unknown_method"), refuseInTx(ctx)
	}
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
	if err := refuseInTx(ctx); err != nil {
		return payment.LookupResult{}, err
	}
	rec, ok, err := g.log.Find(ctx, r.Tenant, r.Key)
	if err != nil || !ok {
		return payment.LookupResult{}, err
	}
	return payment.LookupResult{Known: true, Result: rec.result()}, nil
}

// refuseInTx refuses a call inside a transaction like any other gateway: the log has
// transactions of its own, and the port promises it.
func refuseInTx(ctx context.Context) error {
	if hyperlocal.InTx(ctx) {
		return hyperlocal.ErrNetworkInTx
	}
	return nil
}

func (g *Gateway) handle(ctx context.Context, r payment.Request, verb hyperlocal.PaymentVerb, method, root string) (payment.Result, error) {
	if err := refuseInTx(ctx); err != nil {
		return payment.Result{}, err
	}
	if r.Key == "" || len(r.Key) > maxReference || !r.Amount.IsValid() || r.Amount.Sign() <= 0 {
		return refused("bad_request"), nil
	}
	wanted := Record{
		Tenant: r.Tenant, Key: r.Key, Intent: r.Intent, Operation: r.Operation, Verb: verb, Amount: r.Amount,
		Method: method, Payment: root, Provider: reference(&r),
	}
	if root == "" {
		wanted.Payment = wanted.Provider
	}
	rec, err := g.log.Append(ctx, r.Tenant, r.Intent, r.Key, func(past []Record) (Record, error) {
		fresh := wanted
		fresh.At = g.clock.Now()
		decide(past, &fresh)
		return fresh, nil
	})
	if err != nil {
		return payment.Result{}, err
	}
	if rec.Verb != verb || rec.Amount != r.Amount || rec.Intent != r.Intent || rec.Method != method || rec.Payment != wanted.Payment {
		return refused("idempotency_key_reused"), nil
	}
	return rec.result(), nil
}

// decide gives a new request its first outcome. What waits counts like what is done, so that
// nothing is promised twice.
func decide(past []Record, r *Record) {
	switch r.Verb {
	case hyperlocal.VerbAuthorize:
		r.Outcome = hyperlocal.OutcomeSucceeded
		return
	case hyperlocal.VerbCharge:
		r.Outcome = hyperlocal.OutcomeAction
		return
	}
	var root *Record
	var captured, refunded int64
	ended := false // the promise is captured, being captured, or taken back
	for i := range past {
		p := &past[i]
		if p.Payment != r.Payment || p.Outcome == hyperlocal.OutcomeDeclined {
			continue
		}
		switch p.Verb {
		case hyperlocal.VerbAuthorize, hyperlocal.VerbCharge:
			root = p
		case hyperlocal.VerbCapture, hyperlocal.VerbVoid:
			ended = true
		case hyperlocal.VerbRefund:
			refunded += p.Amount.Amount()
		}
		if (p.Verb == hyperlocal.VerbCapture || p.Verb == hyperlocal.VerbCharge) && p.Outcome == hyperlocal.OutcomeSucceeded {
			captured += p.Amount.Amount()
		}
	}
	held := root != nil && root.Verb == hyperlocal.VerbAuthorize && !ended
	amount := r.Amount.Amount()
	switch {
	case root == nil:
		r.Code = "no_such_payment"
	case root.Amount.Currency() != r.Amount.Currency():
		r.Code = "currency_differs"
	case r.Verb == hyperlocal.VerbCapture && (!held || amount > root.Amount.Amount()):
		r.Code = "capture_exceeds_held"
	case r.Verb == hyperlocal.VerbVoid && (!held || amount != root.Amount.Amount()):
		r.Code = "nothing_held"
	case r.Verb == hyperlocal.VerbRefund && amount > captured-refunded:
		r.Code = "refund_exceeds_captured"
	}
	switch {
	case r.Code != "":
		r.Outcome = hyperlocal.OutcomeDeclined
	case r.Verb == hyperlocal.VerbVoid:
		r.Outcome = hyperlocal.OutcomeSucceeded
	default:
		r.Outcome = hyperlocal.OutcomePending
	}
}

func refused(code string) payment.Result {
	return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineInvalid, Code: code}
}

// codeNotPaid is the code of what Decline has ended.
const codeNotPaid = "not_paid"

func (r *Record) result() payment.Result {
	res := payment.Result{Outcome: r.Outcome, Provider: r.Provider, Amount: r.Amount, Code: r.Code}
	switch {
	case r.Outcome == hyperlocal.OutcomeAction:
		res.Action = "cash:" + r.Provider
	case r.Outcome == hyperlocal.OutcomeDeclined && r.Code == codeNotPaid:
		res.Class = hyperlocal.DeclineHard
	case r.Outcome == hyperlocal.OutcomeDeclined:
		res.Class = hyperlocal.DeclineInvalid
	}
	return res
}

// reference is derived from the key, so that runs can be repeated.
func reference(r *payment.Request) string {
	sum := sha256.Sum256([]byte(string(r.Tenant) + "\x00" + r.Key))
	return "cash_" + hex.EncodeToString(sum[:12])
}

// Waiting returns the charges, captures and refunds of an intent that somebody has to confirm
// or decline, oldest first; of the whole tenant for intent "".
func (g *Gateway) Waiting(ctx context.Context, tenant hyperlocal.TenantID, intent string) ([]Record, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	records, err := g.log.Records(ctx, tenant, intent)
	return slices.DeleteFunc(records, func(r Record) bool { return !r.waits() }), err
}

// ConfirmCommand says that money changed hands.
type ConfirmCommand struct {
	Tenant hyperlocal.TenantID
	Key    string // of the charge, capture or refund; see Waiting
	Holder string // who has the money now, or had it: a courier or a till, 1 to 64 bytes
	Actor  hyperlocal.Actor
}

// Confirm ends a charge or capture whose money the holder has taken, or a refund whose money he
// has given back, and changes his float by it. Confirming the same again for the same holder is a
// success and changes nothing. Have payment.Service.Recheck look up the record's Operation then.
//
// Errors: code invalid; ErrNotFound; ErrNotWaiting if it was declined, or confirmed for another
// holder.
func (g *Gateway) Confirm(ctx context.Context, c ConfirmCommand) (Record, error) {
	if err := checkHolder(c.Tenant, c.Holder, c.Actor); err != nil {
		return Record{}, err
	}
	return g.end(ctx, c.Tenant, c.Key, func(r Record) (Record, error) {
		if r.Outcome == hyperlocal.OutcomeSucceeded && r.Holder == c.Holder {
			return r, nil
		}
		if !r.waits() {
			return r, ErrNotWaiting.With("outcome", r.Outcome)
		}
		r.Outcome, r.Holder, r.Actor, r.EndedAt = hyperlocal.OutcomeSucceeded, c.Holder, c.Actor, g.clock.Now()
		return r, nil
	})
}

// Decline ends a request that waits: nobody paid, or the refund is not handed out. A promise
// whose capture is declined still holds and can be captured again or voided. Declining again is a
// success. Errors: code invalid; ErrNotFound; ErrNotWaiting if it was confirmed or refused.
func (g *Gateway) Decline(ctx context.Context, tenant hyperlocal.TenantID, key string, actor hyperlocal.Actor) (Record, error) {
	if err := checkHolder(tenant, "nobody", actor); err != nil {
		return Record{}, err
	}
	return g.end(ctx, tenant, key, func(r Record) (Record, error) {
		if r.Outcome == hyperlocal.OutcomeDeclined && r.Code == codeNotPaid {
			return r, nil
		}
		if !r.waits() {
			return r, ErrNotWaiting.With("outcome", r.Outcome)
		}
		r.Outcome, r.Code, r.Actor, r.EndedAt = hyperlocal.OutcomeDeclined, codeNotPaid, actor, g.clock.Now()
		return r, nil
	})
}

func (g *Gateway) end(ctx context.Context, tenant hyperlocal.TenantID, key string, change func(Record) (Record, error)) (Record, error) {
	r, ok, err := g.log.Change(ctx, tenant, key, change)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return r, err
}

func checkHolder(tenant hyperlocal.TenantID, holder string, actor hyperlocal.Actor) error {
	if err := tenant.Validate(); err != nil {
		return err
	}
	if holder == "" {
		return hyperlocal.Invalid("cash", "holder", "is required: somebody has the money")
	}
	if err := hyperlocal.CheckText("cash", "holder", holder, maxHolder); err != nil {
		return err
	}
	return actor.Validate()
}
