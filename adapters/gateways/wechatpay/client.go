package wechatpay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// refusal is WeChat Pay's answer that a request was not accepted.
type refusal struct {
	status     int
	code       string // WeChat Pay's, [A-Z0-9_] only
	retryAfter time.Duration
}

func (r *refusal) Error() string { return fmt.Sprintf("WeChat Pay answers %d %s", r.status, r.code) }

// call makes one signed request and reads the signed answer into out, if not nil. Errors: a
// *refusal; one that wraps payment.ErrNotSent; ErrNoAnswer; ErrAnswer.
func (g *Gateway) call(ctx context.Context, a *Account, verb, target string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return payment.ErrNotSent.WithCause(err)
		}
	}
	res, err := g.send(ctx, a, verb, target, body)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return ErrNoAnswer.WithCause(bare(err))
	case len(text) > maxAnswer:
		return ErrAnswer.WithMessage("the answer is longer than any that is expected")
	}
	accepted := res.StatusCode >= 200 && res.StatusCode <= 299
	// A refusal may come from a part of WeChat Pay that does not sign; one that is signed is
	// signed rightly.
	if _, signed := headerOf(res.Header, headerSignature); accepted || signed > 0 {
		if err := a.verify(g.clock.Now(), res.Header, text); err != nil {
			return ErrAnswer.WithCause(err)
		}
	}
	if !accepted {
		return refused(res, text, g.clock.Now())
	}
	if out == nil {
		return nil
	}
	if json.Unmarshal(text, out) != nil { // its error would quote the answer
		return ErrAnswer.WithMessage("the answer cannot be read")
	}
	return nil
}

// send makes a request. target is path and query, as they are signed.
func (g *Gateway) send(ctx context.Context, a *Account, verb, target string, body []byte) (*http.Response, error) {
	return g.sendTo(ctx, a, verb, g.base.Scheme+"://"+g.base.Host, target, body)
}

func (g *Gateway) sendTo(ctx context.Context, a *Account, verb, host, target string, body []byte) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, payment.ErrNotSent.WithCause(err)
	}
	header, err := g.authorization(a, verb, target, body)
	if err != nil {
		return nil, payment.ErrNotSent.WithMessage("the request could not be signed; check the account's private key")
	}
	req, err := http.NewRequestWithContext(ctx, verb, host+target, bytes.NewReader(body))
	if err != nil {
		return nil, payment.ErrNotSent.WithMessage("the request could not be made")
	}
	req.Header.Set("Authorization", header)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "hyperlocal") // WeChat Pay refuses requests without one
	req.Header.Set(headerSerial, a.Platform[0].Serial)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := g.client.Do(req)
	if err != nil {
		err = bare(err)
		if neverConnected(err) {
			return nil, payment.ErrNotSent.WithCause(err)
		}
		return nil, ErrNoAnswer.WithCause(err)
	}
	return res, nil
}

// bare takes the URL off an error of the HTTP client.
func bare(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// neverConnected reports whether the request surely did not leave: there was nobody to take it.
// Anything that is not proof of that is not taken for it.
func neverConnected(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// refused reads an answer that is no success.
func refused(res *http.Response, text []byte, now time.Time) error {
	var said struct {
		Code string `json:"code"`
	}
	readable := json.Unmarshal(text, &said) == nil && consistsOf(said.Code, 1, 64, letters+digits+"_")
	switch {
	case res.StatusCode == http.StatusTooManyRequests:
		if !readable {
			said.Code = "RATE_LIMITED"
		}
	case res.StatusCode < 400 || res.StatusCode > 499:
		return ErrNoAnswer.With("status", res.StatusCode).WithRetryAfter(retryAfter(res, now))
	case !readable:
		return ErrAnswer.With("status", res.StatusCode)
	}
	return &refusal{status: res.StatusCode, code: said.Code, retryAfter: retryAfter(res, now)}
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(res *http.Response, now time.Time) time.Duration {
	text := res.Header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// declines says what a refusal means; a code that is not in it may mean anything, so that what
// became of the request is looked up.
var declines = map[string]hyperlocal.DeclineClass{
	"ACCOUNT_ERROR":         hyperlocal.DeclineHard, // the shopper's account
	"USER_ACCOUNT_ABNORMAL": hyperlocal.DeclineHard, // the shopper's account is closed
	"TRADE_ERROR":           hyperlocal.DeclineHard,
	"ORDER_CLOSED":          hyperlocal.DeclineHard,
	"NOT_ENOUGH":            hyperlocal.DeclineSoft, // of a refund: the merchant's balance
	"RULE_LIMIT":            hyperlocal.DeclineSoft,
	"FREQUENCY_LIMITED":     hyperlocal.DeclineRateLimited,
	"RATE_LIMITED":          hyperlocal.DeclineRateLimited,
	"RATELIMIT_EXCEEDED":    hyperlocal.DeclineRateLimited,
	"PARAM_ERROR":           hyperlocal.DeclineInvalid,
	"INVALID_REQUEST":       hyperlocal.DeclineInvalid, // also: the number is used with other content
	"OUT_TRADE_NO_USED":     hyperlocal.DeclineInvalid,
	"ORDERPAID":             hyperlocal.DeclineInvalid,
	"ORDER_NOT_EXIST":       hyperlocal.DeclineInvalid,
	"RESOURCE_NOT_EXISTS":   hyperlocal.DeclineInvalid,
	"INVALID_TRANSACTIONID": hyperlocal.DeclineInvalid,
	"OPENID_MISMATCH":       hyperlocal.DeclineInvalid,
	"APPID_MCHID_NOT_MATCH": hyperlocal.DeclineInvalid,
	"MCH_NOT_EXISTS":        hyperlocal.DeclineInvalid,
	"NO_AUTH":               hyperlocal.DeclineInvalid, // the merchant has not opened the product
	"SIGN_ERROR":            hyperlocal.DeclineInvalid, // the merchant's key or serial is wrong
}

// outcomeOf turns the error of a call into a decline, if it surely is one.
func outcomeOf(err error) (payment.Result, error) {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return payment.Result{}, err
	}
	class, known := declines[r.code]
	if r.status == http.StatusTooManyRequests {
		class, known = hyperlocal.DeclineRateLimited, true
	}
	if !known {
		return payment.Result{}, ErrNoAnswer.With("status", r.status).With("code", r.code)
	}
	return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: class, Code: r.code, RetryAfter: r.retryAfter}, nil
}

// invalid is a decline of ours, made before anything is sent.
func invalid(code string) payment.Result {
	return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineInvalid, Code: code}
}

// says reports whether an error is a refusal with one of the codes.
func says(err error, codes ...string) bool {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return false
	}
	for _, c := range codes {
		if r.code == c {
			return true
		}
	}
	return false
}

// plain turns a refusal into an error for callers of what is not in the port.
func plain(err error) error {
	if r, ok := errors.AsType[*refusal](err); ok {
		return ErrRefused.With("code", r.code).With("status", r.status).WithRetryAfter(r.retryAfter)
	}
	return err
}
