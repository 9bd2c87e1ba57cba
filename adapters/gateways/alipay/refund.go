package alipay

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// refundDelay is how long after a refund Alipay may not show it yet.
// https://opendocs.alipay.com/open/028sma (alipay.trade.fastpay.refund.query)
const refundDelay = 10 * time.Second

// Refund implements [payment.Gateway]. Payment is the trade's number, the reference of the
// charge. The answer to the refund tells the sum of all refunds of the trade and not what this
// one moved, so Alipay is asked for this one too; as long as it does not show it, the refund is
// pending. Its reference is the refund's number.
func (g *Gateway) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	none := payment.Result{}
	if err := outside(ctx); err != nil {
		return none, err
	}
	a, err := g.account(r.Tenant)
	if err != nil {
		return none, err
	}
	amount, code := yuan(r.Amount)
	switch {
	case code == "" && r.Key == "":
		code = "no_key"
	case code == "" && !isNumber(r.Payment):
		code = "no_such_payment"
	}
	if code != "" {
		return declined(hyperlocal.DeclineInvalid, code), nil
	}
	number := TradeNumber(r.Tenant, r.Key)
	answer, err := g.call(ctx, a, "alipay.trade.refund", map[string]string{
		fieldNumber: r.Payment, "refund_amount": amount, "out_request_no": number,
	}, nil)
	switch {
	case err != nil:
		return none, err
	case !answer.done():
		return g.refusedRefund(ctx, a, r, answer)
	case answer.OutTradeNo != r.Payment:
		return none, ErrBadAnswer.WithMessage("the answer is about another trade")
	}
	res, found, err := g.refunded(ctx, a, r.Payment, number)
	if err != nil {
		return none, err
	}
	if !found {
		return payment.Result{Outcome: hyperlocal.OutcomePending, Provider: number, Amount: r.Amount}, nil
	}
	return res, nil
}

// refusedRefund believes in a refusal only when the refund was not made before: a trade that is
// closed, because this very refund emptied it, may be the reason to refuse it the second time.
func (g *Gateway) refusedRefund(ctx context.Context, a *account, r payment.RefundRequest, answer *reply) (payment.Result, error) {
	res, err := g.refusal(answer)
	if err != nil || res.Class == hyperlocal.DeclineRateLimited {
		return res, err
	}
	made, found, err := g.refunded(ctx, a, r.Payment, TradeNumber(r.Tenant, r.Key))
	switch {
	case err != nil:
		return payment.Result{}, err
	case found && made.Amount == r.Amount:
		return made, nil
	}
	return res, nil
}

// refunded asks for one refund.
func (g *Gateway) refunded(ctx context.Context, a *account, trade, number string) (payment.Result, bool, error) {
	none := payment.Result{}
	answer, err := g.call(ctx, a, "alipay.trade.fastpay.refund.query", map[string]string{
		fieldNumber: trade, "out_request_no": number,
	}, nil)
	switch {
	case err != nil:
		return none, false, err
	case answer.notExist():
		return none, false, nil
	case !answer.done():
		return none, false, refusedQuestion(answer)
	case answer.RefundStatus == "" && answer.RefundAmount == "":
		return none, false, nil
	case answer.RefundStatus != "REFUND_SUCCESS":
		return none, false, ErrUncertain.With("refund_status", plain(answer.RefundStatus))
	}
	moved, ok := answer.RefundAmount.positive()
	if !ok || answer.OutTradeNo != trade || answer.OutRequestNo != number {
		return none, false, ErrBadAnswer.WithMessage("the answer is about another refund, or its amount cannot be read")
	}
	return payment.Result{Outcome: hyperlocal.OutcomeSucceeded, Provider: number, Amount: moved}, true, nil
}

func (g *Gateway) lookupRefund(ctx context.Context, a *account, r *payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	if !isNumber(r.Payment) {
		return none, nil // was declined before it was sent
	}
	res, found, err := g.refunded(ctx, a, r.Payment, TradeNumber(r.Tenant, r.Key))
	switch {
	case err != nil:
		return none, err
	case found:
		return payment.LookupResult{Known: true, Result: res}, nil
	}
	now := g.clock.Now()
	if born, ok := bornAt(r.Operation); ok && born.Before(now) && now.Sub(born) < refundDelay {
		return none, ErrTooEarly
	}
	return none, nil
}
