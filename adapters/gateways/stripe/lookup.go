package stripe

import (
	"context"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const (
	// clockOff is how far our clock and Stripe's may differ in a lookup by time: as far as in
	// a webhook. Another machine, whose clock is off the other way, may have begun the operation.
	clockOff   = payment.DefaultTolerance
	clockSlack = 2 * clockOff
	pageSize   = 100
)

// Lookup implements [payment.Gateway]. A void has no trace but the state of its payment: it
// counts as done when the payment is cancelled, whoever did it.
//
// Errors: ErrTooMany, ErrClock, ErrMismatch, ErrNoAnswer, payment.ErrNotSent; nothing is known
// then.
func (g *Gateway) Lookup(ctx context.Context, r payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	a, err := g.ready(ctx, r.Tenant)
	if err != nil {
		return none, err
	}
	switch r.Verb {
	case hyperlocal.VerbCharge, hyperlocal.VerbAuthorize:
		in, err := g.find(ctx, a, r)
		switch {
		case err != nil || in == nil:
			return none, err
		case in.Metadata[metaVerb] != string(r.Verb):
			return none, ErrMismatch.With("payment", in.ID)
		}
		return known(in.opened(r.Provider != ""))
	case hyperlocal.VerbCapture, hyperlocal.VerbVoid:
		return g.lookupChange(ctx, a, r)
	case hyperlocal.VerbRefund:
		return g.lookupRefund(ctx, a, r)
	}
	return none, nil
}

func known(r payment.Result, err error) (payment.LookupResult, error) {
	if err != nil {
		return payment.LookupResult{}, err
	}
	return payment.LookupResult{Known: true, Result: r}, nil
}

// find returns the intent that was made under the request's key, or nil if there is surely
// none.
func (g *Gateway) find(ctx context.Context, a Account, r payment.LookupRequest) (*intent, error) {
	id := r.Provider
	if !reference(id, "pi_") {
		var err error
		if id, err = g.search(ctx, a, r.Request); err != nil || id == "" {
			return nil, err
		}
	}
	in, declined, err := g.retrieve(ctx, a, id)
	switch {
	case err != nil:
		return nil, err
	case in == nil: // it was there before; that it is not any more proves nothing
		return nil, ErrMismatch.WithMessage("Stripe does not show a payment that it has made; see whether the tenant's account has changed").
			With("payment", id).With("code", declined.Code)
	case !in.belongs(a, r.Request):
		return nil, ErrMismatch.With("payment", id)
	}
	return in, nil
}

// search reads the list of intents from when the operation began, and returns the id of the one
// that carries the key, or "" if there is none. The time around the beginning comes first: that
// is where it is, if it is.
func (g *Gateway) search(ctx context.Context, a Account, r payment.Request) (string, error) {
	now := g.clock.Now()
	from := now.Add(-KeyLifetime - clockSlack)
	if began, ok := beginning(r.Operation); ok && !began.After(now) {
		from = began.Add(-clockSlack)
	}
	soon := from.Add(2 * clockSlack)
	early := url.Values{"created[gte]": {unix(from)}, "created[lt]": {unix(soon)}}
	late := url.Values{"created[gte]": {unix(soon)}}
	for _, window := range []url.Values{early, late} {
		window.Set("limit", strconv.Itoa(pageSize))
		id, err := g.scan(ctx, a, r, window)
		if err != nil || id != "" {
			return id, err
		}
	}
	return "", nil
}

func (g *Gateway) scan(ctx context.Context, a Account, r payment.Request, window url.Values) (string, error) {
	for range g.maxPages {
		var list page[intent]
		if err := g.list(ctx, a, "/v1/payment_intents", window, &list); err != nil {
			return "", err
		}
		for i := range list.Data {
			if in := &list.Data[i]; in.Metadata[metaKey] == r.Key && in.Metadata[metaTenant] == string(r.Tenant) {
				return in.ID, nil
			}
		}
		if !list.More {
			return "", nil
		}
		if len(list.Data) == 0 || !reference(list.Data[len(list.Data)-1].ID, "pi_") {
			return "", ErrNoAnswer.WithMessage("Stripe's list ends in the middle; look the payment up again")
		}
		window.Set("starting_after", list.Data[len(list.Data)-1].ID)
	}
	return "", ErrTooMany.With("operation", r.Operation)
}

// list reads one page. Whatever is not a list is an error: nothing follows from it.
func (g *Gateway) list(ctx context.Context, a Account, path string, query url.Values, into interface{ isList() bool }) error {
	ans, err := g.get(ctx, a, path, query)
	if err != nil {
		return err
	}
	trouble, err := read(ans, into)
	switch {
	case err != nil:
		return err
	case trouble != nil:
		return ErrNoAnswer.WithMessage("Stripe refused to list payments; the key may lack the right to read them").
			With("status", ans.status).With("code", trouble.name()).WithRetryAfter(ans.retryAfter)
	case !into.isList():
		return ErrNoAnswer.WithMessage("Stripe's answer is no list; look the payment up again")
	}
	if off := ans.date.Sub(g.clock.Now()).Abs(); !ans.date.IsZero() && off > clockOff {
		return ErrClock.With("difference", off)
	}
	return nil
}

func (p *page[T]) isList() bool { return p.Object == "list" }

// lookupChange tells what became of a capture or a void from the payment itself.
func (g *Gateway) lookupChange(ctx context.Context, a Account, r payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	if !reference(r.Payment, "pi_") {
		return none, nil // we refuse to send such a request
	}
	in, declined, err := g.retrieve(ctx, a, r.Payment)
	switch {
	case err != nil:
		return none, err
	case in == nil:
		return none, ErrMismatch.WithMessage("Stripe does not show the payment; see whether the tenant's account has changed").
			With("payment", r.Payment).With("code", declined.Code)
	case in.Object != objectIntent || in.ID != r.Payment || in.Live != a.Live() || in.Metadata[metaTenant] != string(r.Tenant):
		return none, ErrMismatch.With("payment", r.Payment)
	case r.Verb == hyperlocal.VerbCapture && in.Metadata[metaCaptureKey] == r.Key:
		return known(in.captured())
	case r.Verb == hyperlocal.VerbVoid && in.Status == statusCanceled:
		return known(in.priced(payment.Result{Outcome: hyperlocal.OutcomeSucceeded, Provider: in.ID}, in.Amount))
	}
	return none, nil
}

func (g *Gateway) lookupRefund(ctx context.Context, a Account, r payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	if !reference(r.Payment, "pi_") {
		return none, nil // we refuse to send such a request
	}
	query := url.Values{objectIntent: {r.Payment}, "limit": {strconv.Itoa(pageSize)}}
	for range g.maxPages {
		var list page[refund]
		if err := g.list(ctx, a, "/v1/refunds", query, &list); err != nil {
			return none, err
		}
		for i := range list.Data {
			re := &list.Data[i]
			if re.Metadata[metaKey] != r.Key || re.Metadata[metaTenant] != string(r.Tenant) {
				continue
			}
			if !re.belongs(r.Request, r.Payment) {
				return none, ErrMismatch.With("operation", r.Operation)
			}
			return known(re.result())
		}
		if !list.More {
			return none, nil
		}
		if len(list.Data) == 0 || !reference(list.Data[len(list.Data)-1].ID, "re_") {
			return none, ErrNoAnswer.WithMessage("Stripe's list ends in the middle; look the refund up again")
		}
		query.Set("starting_after", list.Data[len(list.Data)-1].ID)
	}
	return none, ErrTooMany.With("operation", r.Operation)
}

// Abandon cancels the payment that a charge or an authorization has opened and nobody has paid,
// so that the client secret is of no use any more: what a host does when it gives up waiting
// for a shopper, or before it lets him pay in another way. It tells how the payment stands then,
// which is succeeded if the shopper was faster. A payment that is held, paid or being processed
// is left alone; one that comes to be held in this very moment is let go. Known is false if
// there is no such payment.
//
// Errors are those of Lookup and of a request; the payment may have been cancelled then, and
// Abandon may be called again.
func (g *Gateway) Abandon(ctx context.Context, r payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	a, err := g.ready(ctx, r.Tenant)
	if err != nil {
		return none, err
	}
	in, err := g.find(ctx, a, r)
	if err != nil || in == nil {
		return none, err
	}
	switch in.Status {
	case statusNeedsMethod, statusNeedsConfirm, statusNeedsAction:
		ans, err := g.post(ctx, a, "/v1/payment_intents/"+in.ID+"/cancel", idempotencyKey(r.Request)+"/abandon",
			url.Values{"cancellation_reason": {"abandoned"}})
		if err != nil {
			return none, err
		}
		var done intent
		trouble, err := read(ans, &done)
		if err != nil {
			return none, err
		}
		if trouble != nil {
			if _, ok := trouble.refusal(ans); !ok {
				return none, ErrNoAnswer.With("status", ans.status).With("code", trouble.name())
			}
		}
		// An answer under a key may be an old one, so the payment itself is asked.
		r.Provider = in.ID
		if in, err = g.find(ctx, a, r); err != nil {
			return none, err
		}
	}
	return known(in.opened(true))
}

// beginning reads the time out of an id of version 7 of RFC 9562: its first 48 bits are
// milliseconds since 1970.
func beginning(id string) (time.Time, bool) {
	if !hyperlocal.ValidID(id) || id[14] != '7' {
		return time.Time{}, false
	}
	b, err := hex.DecodeString(strings.ReplaceAll(id[:13], "-", ""))
	if err != nil {
		return time.Time{}, false
	}
	var ms int64
	for _, c := range b {
		ms = ms<<8 | int64(c)
	}
	return hyperlocal.Instant(time.UnixMilli(ms)), true
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
