package stripe

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const expandFee = "latest_charge.balance_transaction"

// Codes of declines that this package gives itself. All have class invalid; nothing was sent.
const (
	CodeBadRequest    = "bad_request"            // no key, no amount, or ids that Stripe has no room for
	CodeBadMethod     = "unknown_method"         // neither "" nor pm_... nor ctoken_...
	CodeBadCurrency   = "currency_not_taken"     // see Currencies
	CodeBadAmount     = "amount_not_taken"       // see Rules
	CodeNoPayment     = "no_such_payment"        // not a payment of this tenant and intent
	CodeOtherCurrency = "currency_differs"       // from that of the payment
	CodeWholeOnly     = "void_is_whole"          // a void lets go of all that is held
	CodeKeyReused     = "idempotency_key_reused" // with other content
)

// Authorize implements [payment.Gateway]: see the package comment for how a method is read.
func (g *Gateway) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	a, err := g.ready(ctx, r.Tenant)
	if err != nil {
		return payment.Result{}, err
	}
	amount, currency, code := check(r.Request)
	if code != "" {
		return refused(code), nil
	}
	form := url.Values{
		"amount":                             {strconv.FormatInt(amount, 10)},
		"currency":                           {currency},
		"capture_method":                     {"automatic"},
		"automatic_payment_methods[enabled]": {"true"},
		"expand[]":                           {expandFee},
	}
	if !r.CaptureNow {
		form.Set("capture_method", captureManual)
	}
	meta(form, metaTenant, string(r.Tenant))
	meta(form, metaIntent, r.Intent)
	meta(form, metaOperation, r.Operation)
	meta(form, metaKey, r.Key)
	meta(form, metaVerb, string(r.Verb()))
	meta(form, metaMethod, r.Method)
	switch {
	case r.Method == "":
	case len(r.Method) > payment.MaxMethod:
		return refused(CodeBadMethod), nil
	case reference(r.Method, "pm_"):
		form.Set("payment_method", r.Method)
	case reference(r.Method, "ctoken_"):
		form.Set("confirmation_token", r.Method)
	default:
		return refused(CodeBadMethod), nil
	}
	if r.Method != "" {
		form.Set("confirm", "true")
		if a.ReturnURL == "" {
			form.Set("automatic_payment_methods[allow_redirects]", "never")
		} else {
			form.Set("return_url", a.ReturnURL)
		}
	}
	ans, err := g.post(ctx, a, "/v1/payment_intents", idempotencyKey(r.Request), form)
	if err != nil {
		return payment.Result{}, err
	}
	var in intent
	trouble, err := read(ans, &in)
	switch {
	case err != nil:
		return payment.Result{}, err
	case trouble.reused(ans):
		return g.reopened(ctx, a, r)
	case trouble != nil && trouble.Intent != nil && trouble.Intent.Status == statusHeld:
		return payment.Result{}, ErrNoAnswer.WithMessage("Stripe declines and holds the money; look it up").With("operation", r.Operation)
	case trouble != nil:
		result, err := trouble.answered(ans)
		if err == nil && trouble.Intent != nil && reference(trouble.Intent.ID, "pi_") {
			result.Provider = trouble.Intent.ID // for people who look it up
		}
		return result, err
	case !in.belongs(a, r.Request) || in.Metadata[metaVerb] != string(r.Verb()):
		return payment.Result{}, ErrMismatch.With("operation", r.Operation)
	}
	return in.opened(false)
}

// reopened answers a key that was used before with other parameters. What counts are the
// parameters that the port knows: a program of another version may have sent the rest.
func (g *Gateway) reopened(ctx context.Context, a Account, r payment.AuthorizeRequest) (payment.Result, error) {
	in, err := g.find(ctx, a, payment.LookupRequest{Request: r.Request, Verb: r.Verb()})
	if err != nil {
		return payment.Result{}, err
	}
	if in == nil {
		return payment.Result{}, ErrNoAnswer.WithMessage("Stripe knows the key and the payment cannot be found; look it up again").
			With("operation", r.Operation)
	}
	result, err := in.opened(false)
	if err != nil {
		return payment.Result{}, err
	}
	amount, currency, _ := check(r.Request)
	if in.Amount != amount || in.Currency != currency || in.Metadata[metaVerb] != string(r.Verb()) || in.Metadata[metaMethod] != r.Method {
		return refused(CodeKeyReused), nil
	}
	return result, nil
}

// Capture implements [payment.Gateway]. What is not captured is let go of.
func (g *Gateway) Capture(ctx context.Context, r payment.CaptureRequest) (payment.Result, error) {
	a, amount, in, declined, err := g.held(ctx, r.Request, r.Payment)
	if err != nil || in == nil {
		return declined, err
	}
	form := url.Values{"amount_to_capture": {strconv.FormatInt(amount, 10)}, "expand[]": {expandFee}}
	meta(form, metaCaptureKey, r.Key)
	meta(form, metaCaptureOperation, r.Operation)
	var done intent
	result, ok, err := g.change(ctx, a, r.Request, hyperlocal.VerbCapture, r.Payment, "/v1/payment_intents/"+in.ID+"/capture", form, &done)
	switch {
	case err != nil || !ok:
		return result, err
	case !done.same(in) || done.Metadata[metaCaptureKey] != r.Key:
		return payment.Result{}, ErrMismatch.With("operation", r.Operation)
	}
	return done.captured()
}

// Void implements [payment.Gateway]. It lets go of all that is held; a part is refused.
func (g *Gateway) Void(ctx context.Context, r payment.VoidRequest) (payment.Result, error) {
	a, amount, in, declined, err := g.held(ctx, r.Request, r.Payment)
	if err != nil || in == nil {
		return declined, err
	}
	if amount != in.Amount {
		return refused(CodeWholeOnly), nil
	}
	var done intent
	form := url.Values{"cancellation_reason": {"requested_by_customer"}}
	result, ok, err := g.change(ctx, a, r.Request, hyperlocal.VerbVoid, r.Payment, "/v1/payment_intents/"+in.ID+"/cancel", form, &done)
	switch {
	case err != nil || !ok:
		return result, err
	case !done.same(in) || done.Status != statusCanceled:
		return payment.Result{}, ErrMismatch.With("operation", r.Operation)
	}
	return done.priced(payment.Result{Outcome: hyperlocal.OutcomeSucceeded, Provider: in.ID}, done.Amount)
}

// Refund implements [payment.Gateway].
func (g *Gateway) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	a, amount, in, declined, err := g.held(ctx, r.Request, r.Payment)
	if err != nil || in == nil {
		return declined, err
	}
	form := url.Values{objectIntent: {in.ID}, "amount": {strconv.FormatInt(amount, 10)}}
	meta(form, metaTenant, string(r.Tenant))
	meta(form, metaIntent, r.Intent)
	meta(form, metaOperation, r.Operation)
	meta(form, metaKey, r.Key)
	var done refund
	result, ok, err := g.change(ctx, a, r.Request, hyperlocal.VerbRefund, r.Payment, "/v1/refunds", form, &done)
	switch {
	case err != nil || !ok:
		return result, err
	case !done.belongs(r.Request, in.ID):
		return payment.Result{}, ErrMismatch.With("operation", r.Operation)
	}
	return done.result()
}

// held reads the payment that a request refers to and compares it. in is nil if the request is
// declined. It changes nothing at Stripe, so whatever goes wrong in it, our request was not sent.
func (g *Gateway) held(ctx context.Context, r payment.Request, id string) (
	a Account, amount int64, in *intent, declined payment.Result, err error,
) {
	if a, err = g.ready(ctx, r.Tenant); err != nil {
		return a, 0, nil, declined, err
	}
	amount, currency, code := check(r)
	switch {
	case code != "":
		return a, 0, nil, refused(code), nil
	case !reference(id, "pi_"):
		return a, 0, nil, refused(CodeNoPayment), nil
	}
	in, declined, err = g.retrieve(ctx, a, id)
	if err != nil || in == nil {
		if err != nil {
			err = notSent(err)
		}
		return a, 0, nil, declined, err
	}
	switch {
	case in.Object != objectIntent || in.ID != id || in.Live != a.Live() ||
		in.Metadata[metaTenant] != string(r.Tenant) || in.Metadata[metaIntent] != r.Intent:
		return a, 0, nil, refused(CodeNoPayment), nil
	case in.Currency != currency:
		return a, 0, nil, refused(CodeOtherCurrency), nil
	}
	return a, amount, in, declined, nil
}

func notSent(err error) error {
	if errors.Is(err, payment.ErrNotSent) {
		return err
	}
	return payment.ErrNotSent.WithCause(err)
}

// change posts something about an existing payment. ok is false if result is the answer.
func (g *Gateway) change(ctx context.Context, a Account, r payment.Request, verb hyperlocal.PaymentVerb, id, path string,
	form url.Values, into any,
) (result payment.Result, ok bool, err error) {
	ans, err := g.post(ctx, a, path, idempotencyKey(r), form)
	if err != nil {
		return payment.Result{}, false, err
	}
	trouble, err := read(ans, into)
	switch {
	case err != nil:
		return payment.Result{}, false, err
	case trouble.reused(ans):
		found, err := g.Lookup(ctx, payment.LookupRequest{Request: r, Verb: verb, Payment: id})
		switch {
		case err != nil:
			return payment.Result{}, false, err
		case found.Known && found.Amount == r.Amount:
			return found.Result, false, nil
		case found.Known:
			return refused(CodeKeyReused), false, nil
		}
		return payment.Result{}, false, ErrNoAnswer.With("operation", r.Operation)
	case trouble != nil:
		result, err = trouble.answered(ans)
		return result, false, err
	}
	return payment.Result{}, true, nil
}

// retrieve gets an intent. It returns nil if the request for it was declined.
func (g *Gateway) retrieve(ctx context.Context, a Account, id string) (*intent, payment.Result, error) {
	ans, err := g.get(ctx, a, "/v1/payment_intents/"+id, url.Values{"expand[]": {expandFee}})
	if err != nil {
		return nil, payment.Result{}, err
	}
	var in intent
	trouble, err := read(ans, &in)
	if err != nil {
		return nil, payment.Result{}, err
	}
	if trouble != nil {
		declined, err := trouble.answered(ans)
		return nil, declined, err
	}
	return &in, payment.Result{}, nil
}

// reused reports whether Stripe refused the request because its key came with other parameters
// before.
func (p *problem) reused(a *answer) bool {
	return p != nil && p.Type == "idempotency_error" && a.status == 400
}

func (p *problem) answered(a *answer) (payment.Result, error) {
	result, ok := p.refusal(a)
	if !ok {
		return payment.Result{}, ErrNoAnswer.With("status", a.status).With("code", p.name())
	}
	return result, nil
}

// same reports whether an answer is about the intent that was read before.
func (in *intent) same(before *intent) bool {
	return in.Object == objectIntent && in.ID == before.ID && in.Live == before.Live && in.Currency == before.Currency &&
		in.Metadata[metaTenant] == before.Metadata[metaTenant]
}

// belongs reports whether the refund is the one that was made under the request's key.
func (re *refund) belongs(r payment.Request, intent string) bool {
	return re.Object == "refund" && reference(re.ID, "re_") && re.Intent == intent &&
		re.Metadata[metaTenant] == string(r.Tenant) && re.Metadata[metaKey] == r.Key
}

// check looks at a request before anything is sent. It returns Stripe's amount and currency,
// or the code of a decline.
func check(r payment.Request) (amount int64, currency, code string) {
	if r.Key == "" || len(r.Key) > payment.MaxReference || !printable(r.Key) || r.Amount.Sign() <= 0 || !r.Amount.IsValid() ||
		len(r.Intent) > payment.MaxReference || len(r.Operation) > payment.MaxReference {
		return 0, "", CodeBadRequest
	}
	amount, currency, err := toStripe(r.Amount)
	switch {
	case hyperlocal.ReasonOf(err) == errCurrency.Reason:
		return 0, "", CodeBadCurrency
	case err != nil:
		return 0, "", CodeBadAmount
	}
	return amount, currency, ""
}

func printable(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// idempotencyKey is at most 64 + 1 + 128 bytes; Stripe takes 255. Tenants may share an account.
func idempotencyKey(r payment.Request) string { return string(r.Tenant) + ":" + r.Key }

func meta(form url.Values, name, value string) {
	if value != "" {
		form.Set("metadata["+name+"]", value)
	}
}
