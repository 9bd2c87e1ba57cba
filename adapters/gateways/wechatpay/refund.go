package wechatpay

import (
	"context"
	"net/http"
	"net/url"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// refundRequest is what a refund is made from.
type refundRequest struct {
	OrderNumber string       `json:"out_trade_no"`
	Number      string       `json:"out_refund_no"`
	NotifyURL   string       `json:"notify_url"`
	Amount      refundAmount `json:"amount"`
}

type refundAmount struct {
	Refund   int64  `json:"refund"`
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
}

// refund is how a refund stands, in an answer (status) and a notification (refund_status).
type refund struct {
	MerchantID   string  `json:"mchid"` // notifications only
	OrderNumber  string  `json:"out_trade_no"`
	Number       string  `json:"out_refund_no"`
	Status       string  `json:"status"`
	RefundStatus string  `json:"refund_status"`
	Amount       *amount `json:"amount"`
}

// Refund implements [payment.Gateway]. It asks for the order first, because WeChat Pay wants to
// be told its total. A refund takes a moment: it is pending, and the notification or a lookup
// tells its end.
func (g *Gateway) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	if hyperlocal.InTx(ctx) {
		return payment.Result{}, hyperlocal.ErrNetworkInTx
	}
	units, code := check(&r.Request)
	if code != "" {
		return invalid(code), nil
	}
	if !consistsOf(r.Payment, 6, 32, letters+digits+"_-|*") {
		return invalid("no_such_payment"), nil
	}
	a, err := g.account(r.Tenant)
	if err != nil {
		return payment.Result{}, err
	}
	paid, err := g.query(ctx, a, r.Payment)
	if err != nil {
		if declined, err := outcomeOf(err); err == nil {
			return declined, nil
		}
		return payment.Result{}, payment.ErrNotSent.WithCause(err)
	}
	order, err := paid.result()
	switch {
	case err != nil:
		return payment.Result{}, payment.ErrNotSent.WithCause(err)
	case order.Outcome != hyperlocal.OutcomeSucceeded:
		return invalid("not_paid"), nil
	case order.Amount.Currency() != r.Amount.Currency():
		return invalid("currency_differs"), nil
	case order.Amount.Amount() < units:
		return invalid("refund_exceeds_payment"), nil
	}
	var made refund
	err = g.call(ctx, a, http.MethodPost, "/v3/refund/domestic/refunds", refundRequest{
		OrderNumber: r.Payment, Number: refundNumber(r.Tenant, r.Key), NotifyURL: a.NotifyURL,
		Amount: refundAmount{Refund: units, Total: order.Amount.Amount(), Currency: string(r.Amount.Currency())},
	}, &made)
	if err != nil {
		return outcomeOf(err)
	}
	return made.result(refundNumber(r.Tenant, r.Key), r.Payment)
}

func (g *Gateway) lookupRefund(ctx context.Context, a *Account, r *payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	number := refundNumber(r.Tenant, r.Key)
	var found refund
	err := g.call(ctx, a, http.MethodGet, "/v3/refund/domestic/refunds/"+url.PathEscape(number), nil, &found)
	if says(err, "RESOURCE_NOT_EXISTS", "ORDER_NOT_EXIST") {
		return none, nil
	}
	if err != nil {
		return none, plain(err)
	}
	result, err := found.result(number, r.Payment)
	if err != nil {
		return none, err
	}
	return payment.LookupResult{Known: true, Result: result}, nil
}

// result checks that an answer is about the refund of the order, and says what its state means.
// An empty order is not compared.
func (f *refund) result(number, order string) (payment.Result, error) {
	if f.Number != number || (order != "" && f.OrderNumber != order) {
		return payment.Result{}, ErrAnswer.WithMessage("the answer is about another refund")
	}
	r := payment.Result{Provider: number}
	if f.Amount != nil {
		r.Amount = moneyOf(f.Amount.Refund, f.Amount.Currency)
	}
	switch f.Status {
	case "SUCCESS":
		if !r.Amount.IsValid() {
			return payment.Result{}, ErrAnswer.WithMessage("the answer does not tell the amount")
		}
		r.Outcome = hyperlocal.OutcomeSucceeded
	case "PROCESSING":
		r.Outcome = hyperlocal.OutcomePending
	case "ABNORMAL": // the shopper's bank refused it; a person sends it another way in WeChat Pay's console
		r.Outcome, r.Code = hyperlocal.OutcomePending, f.Status
	case "CLOSED":
		r.Outcome, r.Class, r.Code = hyperlocal.OutcomeDeclined, hyperlocal.DeclineHard, f.Status
	default:
		return payment.Result{}, ErrAnswer.WithMessage("the answer tells a state that is not known here")
	}
	return r, nil
}
