package alipay

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// product is what a method is called at Alipay.
type product struct{ method, code string }

func productOf(method string) (product, bool) {
	switch method {
	case Page:
		return product{"alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"}, true
	case App:
		return product{"alipay.trade.app.pay", "QUICK_MSECURITY_PAY"}, true
	case QR:
		return product{"alipay.trade.precreate", "FACE_TO_FACE_PAYMENT"}, true
	}
	return product{}, false
}

// Authorize implements [payment.Gateway] for charges: it gives out a link, unless Alipay knows
// the trade's number already and tells what became of it. Its reference is the trade's number.
//
// It asks Alipay first because the number alone protects from a second payment: whatever was
// paid under it is the answer, and a trade with another amount is a refusal.
func (g *Gateway) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	none := payment.Result{}
	if err := outside(ctx); err != nil {
		return none, err
	}
	if !r.CaptureNow {
		return declined(hyperlocal.DeclineInvalid, "verb_not_supported"), nil
	}
	a, err := g.account(r.Tenant)
	if err != nil {
		return none, err
	}
	p, ok := productOf(r.Method)
	if !ok {
		return declined(hyperlocal.DeclineInvalid, "method_not_supported"), nil
	}
	amount, code := yuan(r.Amount)
	if code == "" && r.Key == "" {
		code = "no_key"
	}
	if code != "" {
		return declined(hyperlocal.DeclineInvalid, code), nil
	}
	number := TradeNumber(r.Tenant, r.Key)
	trade, err := g.query(ctx, a, number)
	switch {
	case err != nil:
		return none, err
	case trade.done():
		res, err := settled(trade)
		if err != nil {
			return none, err
		}
		if res.Outcome != hyperlocal.OutcomeDeclined && res.Amount != r.Amount {
			return declined(hyperlocal.DeclineInvalid, "key_reused"), nil
		}
		if res.Outcome != hyperlocal.OutcomeAction {
			return res, nil
		}
	case !trade.notExist():
		return g.refusal(trade)
	}
	deadline := g.deadline(&r.Request)
	if g.clock.Now().Add(time.Minute).After(deadline) { // Alipay's shortest deadline is a minute
		if trade.done() { // the shopper may be typing the password just now; Alipay will close it
			return payment.Result{Outcome: hyperlocal.OutcomePending, Provider: number, Amount: r.Amount}, nil
		}
		return declined(hyperlocal.DeclineHard, CodeExpired), nil
	}
	return g.link(ctx, a, p, r, amount, deadline)
}

// link makes what the shopper follows. Only for a QR code does Alipay have to be asked; the
// others are signed here, and Alipay learns of them from the shopper.
func (g *Gateway) link(ctx context.Context, a *account, p product, r payment.AuthorizeRequest, amount string, deadline time.Time) (payment.Result, error) {
	number := TradeNumber(r.Tenant, r.Key)
	content := map[string]string{
		fieldNumber: number, "total_amount": amount, "subject": g.subject, "product_code": p.code,
		"time_expire": deadline.In(zone()).Format(timeLayout),
	}
	more := map[string]string{"notify_url": a.notifyURL}
	res := payment.Result{Outcome: hyperlocal.OutcomeAction, Provider: number}
	if r.Method == QR {
		answer, err := g.call(ctx, a, p.method, content, more)
		switch {
		case err != nil:
			return payment.Result{}, err
		case answer.Code == codeRefused && answer.SubCode == subHasSuccess:
			return g.paidMeanwhile(ctx, a, number, r.Amount)
		case !answer.done():
			return g.refusal(answer)
		case answer.OutTradeNo != number:
			return payment.Result{}, ErrBadAnswer.WithMessage("the answer is about another trade")
		}
		res.Action = answer.QRCode
	} else {
		if r.Method == Page {
			more["return_url"] = a.returnURL
		}
		values, err := g.request(a, p.method, content, more)
		if err != nil {
			return payment.Result{}, notSent(err)
		}
		res.Action = values.Encode()
		if r.Method == Page {
			res.Action = g.base + "?" + res.Action
		}
	}
	if err := hyperlocal.CheckText("alipay", "action", res.Action, payment.MaxAction); err != nil || res.Action == "" {
		return payment.Result{}, ErrBadAnswer.WithMessage("the link cannot be handed on; shorten NotifyURL and ReturnURL")
	}
	return res, nil
}

// paidMeanwhile tells of a trade that was paid between our two questions.
func (g *Gateway) paidMeanwhile(ctx context.Context, a *account, number string, amount hyperlocal.Money) (payment.Result, error) {
	trade, err := g.query(ctx, a, number)
	switch {
	case err != nil:
		return payment.Result{}, err
	case !trade.done():
		return payment.Result{}, ErrUncertain
	}
	res, err := settled(trade)
	if err == nil && res.Amount != amount {
		return declined(hyperlocal.DeclineInvalid, "key_reused"), nil
	}
	return res, err
}

// Capture declines: nothing is ever held.
func (g *Gateway) Capture(ctx context.Context, _ payment.CaptureRequest) (payment.Result, error) {
	if err := outside(ctx); err != nil {
		return payment.Result{}, err
	}
	return declined(hyperlocal.DeclineInvalid, "verb_not_supported"), nil
}

// Void declines: nothing is ever held. See [Gateway.CloseUnpaid].
func (g *Gateway) Void(ctx context.Context, _ payment.VoidRequest) (payment.Result, error) {
	if err := outside(ctx); err != nil {
		return payment.Result{}, err
	}
	return declined(hyperlocal.DeclineInvalid, "verb_not_supported"), nil
}

// Lookup implements [payment.Gateway].
//
// Alipay does not know a trade before the shopper has followed the link. Of such a trade
// Lookup says: not known, if no link was given out (Provider is ""); action required as long
// as the link is good; declined with [CodeExpired] after that, since nobody can pay it any more.
func (g *Gateway) Lookup(ctx context.Context, r payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	if err := outside(ctx); err != nil {
		return none, err
	}
	a, err := g.account(r.Tenant)
	if err != nil {
		return none, err
	}
	switch r.Verb {
	case hyperlocal.VerbCharge:
		return g.lookupCharge(ctx, a, &r)
	case hyperlocal.VerbRefund:
		return g.lookupRefund(ctx, a, &r)
	}
	return none, nil // was declined before it was sent
}

// expirySlack is how long after its deadline a link is still looked after.
const expirySlack = 2 * time.Minute

func (g *Gateway) lookupCharge(ctx context.Context, a *account, r *payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	number := TradeNumber(r.Tenant, r.Key)
	trade, err := g.query(ctx, a, number)
	switch {
	case err != nil:
		return none, err
	case trade.done():
		res, err := settled(trade)
		if err != nil {
			return none, err
		}
		return payment.LookupResult{Known: true, Result: res}, nil
	case !trade.notExist():
		return none, refusedQuestion(trade)
	case g.clock.Now().After(g.deadline(&r.Request).Add(expirySlack)):
		return payment.LookupResult{Known: true, Result: declined(hyperlocal.DeclineHard, CodeExpired)}, nil
	case r.Provider != "":
		return payment.LookupResult{Known: true, Result: payment.Result{Outcome: hyperlocal.OutcomeAction, Provider: number}}, nil
	}
	return none, nil
}

// deadline is when the links of an operation die. It follows from the operation's id, so that
// a link that is made again does not live longer. For an id that does not tell its time, it is
// counted from now.
func (g *Gateway) deadline(r *payment.Request) time.Time {
	now := g.clock.Now()
	if born, ok := bornAt(r.Operation); ok && born.Before(now) {
		return born.Add(g.payWithin)
	}
	return now.Add(g.payWithin)
}

// query asks for a trade and checks that the answer is about it.
func (g *Gateway) query(ctx context.Context, a *account, number string) (*reply, error) {
	trade, err := g.call(ctx, a, "alipay.trade.query", map[string]string{fieldNumber: number}, nil)
	if err != nil {
		return nil, err
	}
	if trade.done() && trade.OutTradeNo != number {
		return nil, ErrBadAnswer.WithMessage("the answer is about another trade")
	}
	return trade, nil
}

// The states of a trade.
const (
	stateWaiting  = "WAIT_BUYER_PAY"
	stateClosed   = "TRADE_CLOSED" // never paid in time, or paid and given back in full
	statePaid     = "TRADE_SUCCESS"
	stateFinished = "TRADE_FINISHED" // paid, and too old for refunds
)

// settled reads what became of a trade.
func settled(t *reply) (payment.Result, error) {
	res := payment.Result{Provider: t.OutTradeNo}
	total, ok := t.TotalAmount.positive()
	if !ok || !inYuan(t.TransCurrency) || !inYuan(t.PayCurrency) {
		return payment.Result{}, ErrBadAnswer.WithMessage("the trade's amount cannot be read, or is not in yuan")
	}
	res.Amount = total
	switch t.TradeStatus {
	case stateWaiting:
		res.Outcome = hyperlocal.OutcomeAction
	case statePaid, stateFinished:
		res.Outcome = hyperlocal.OutcomeSucceeded
	case stateClosed:
		if !t.wasPaid() {
			return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Provider: t.OutTradeNo, Class: hyperlocal.DeclineHard, Code: CodeClosed}, nil
		}
		res.Outcome = hyperlocal.OutcomeSucceeded // what was given back is the refund's affair
	default:
		return payment.Result{}, ErrUncertain.With("trade_status", plain(t.TradeStatus))
	}
	return res, nil
}

// wasPaid tells a closed trade that was paid and given back from one that never was: only the
// former has a time of payment, or anything that the buyer paid with.
func (r *reply) wasPaid() bool {
	_, received := r.ReceiptAmount.positive()
	_, spent := r.BuyerPayAmount.positive()
	bills := len(r.FundBillList) > 0 && string(r.FundBillList) != "null" && string(r.FundBillList) != "[]" && string(r.FundBillList) != `""`
	return r.SendPayDate != "" || received || spent || bills
}

func inYuan(currency string) bool { return currency == "" || currency == string(Currency) }

// CloseUnpaid lets go of a charge that nobody has paid yet: its trade is closed, so that it
// cannot be paid any more, and what became of it is returned. One that was paid in the
// meantime is left alone and reported as succeeded. A trade that Alipay does not know yet
// cannot be closed; see [Gateway.Lookup] for what is said of it.
//
// It never gives money back: that is what trade.cancel, which this package does not use, would do.
func (g *Gateway) CloseUnpaid(ctx context.Context, r payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	if err := outside(ctx); err != nil {
		return none, err
	}
	a, err := g.account(r.Tenant)
	if err != nil {
		return none, err
	}
	if r.Verb != hyperlocal.VerbCharge {
		return none, hyperlocal.Invalid("alipay", "verb", "only a charge can be closed")
	}
	number := TradeNumber(r.Tenant, r.Key)
	answer, err := g.call(ctx, a, "alipay.trade.close", map[string]string{fieldNumber: number}, nil)
	switch {
	case err != nil:
		return none, err
	case answer.done() && answer.OutTradeNo != "" && answer.OutTradeNo != number:
		return none, ErrBadAnswer.WithMessage("the answer is about another trade")
	case answer.Code != codeDone && answer.Code != codeRefused:
		return none, refusedQuestion(answer)
	}
	// Closed, unknown, or in no state to be closed: the trade itself tells which.
	return g.lookupCharge(ctx, a, &r)
}
