package wechatpay

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// orderRequest is what an order is made from.
type orderRequest struct {
	AppID       string `json:"appid"`
	MerchantID  string `json:"mchid"`
	Description string `json:"description"`
	Number      string `json:"out_trade_no"`
	Expires     string `json:"time_expire"`
	Attach      string `json:"attach"`
	NotifyURL   string `json:"notify_url"`
	Amount      amount `json:"amount"`
	Payer       *payer `json:"payer,omitempty"`
}

type payer struct {
	OpenID string `json:"openid"`
}

// transaction is how an order stands, in a query's answer and in a notification.
type transaction struct {
	AppID      string  `json:"appid"`
	MerchantID string  `json:"mchid"`
	Number     string  `json:"out_trade_no"`
	Attach     string  `json:"attach"`
	State      string  `json:"trade_state"`
	Amount     *amount `json:"amount"`
}

// Authorize implements [payment.Gateway]: it places an order that the shopper pays. It knows
// CaptureNow only.
func (g *Gateway) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	if hyperlocal.InTx(ctx) {
		return payment.Result{}, hyperlocal.ErrNetworkInTx
	}
	if !r.CaptureNow {
		return invalid("verb_not_supported"), nil
	}
	total, code := check(&r.Request)
	if code != "" {
		return invalid(code), nil
	}
	how, ok := readMethod(r.Method)
	if !ok {
		return invalid("unknown_method"), nil
	}
	a, err := g.account(r.Tenant)
	if err != nil {
		return payment.Result{}, err
	}
	order := orderRequest{
		AppID: a.AppID, MerchantID: a.MerchantID, Description: a.description(), Number: orderNumber(r.Tenant, r.Key),
		Expires: g.expiry(r.Operation), Attach: r.Key, NotifyURL: a.NotifyURL,
		Amount: amount{Total: &total, Currency: string(r.Amount.Currency())},
	}
	switch how.kind {
	case methodJSAPI:
		order.Payer = &payer{how.openID}
	case methodApp:
		order.AppID = a.mobileAppID()
	}
	var placed struct {
		PrepayID string `json:"prepay_id"`
		CodeURL  string `json:"code_url"`
	}
	err = g.call(ctx, a, http.MethodPost, "/v3/pay/transactions/"+how.kind, order, &placed)
	if says(err, "ORDERPAID", "OUT_TRADE_NO_USED", "ORDER_CLOSED", "INVALID_REQUEST") {
		return g.existing(ctx, a, &r.Request, err)
	}
	if err != nil {
		return outcomeOf(err)
	}
	act := placed.CodeURL
	if how.kind == methodNative {
		if !strings.HasPrefix(act, "weixin://") || len(act) > 512 || !printable(act) {
			return payment.Result{}, ErrAnswer.WithMessage("the answer has no code to show")
		}
	} else {
		if !consistsOf(placed.PrepayID, 1, 64, letters+digits+"_-") {
			return payment.Result{}, ErrAnswer.WithMessage("the answer has no prepay id")
		}
		if act, err = g.action(a, how.kind, placed.PrepayID); err != nil {
			return payment.Result{}, ErrAnswer.WithMessage("the payment call could not be signed; check the account's private key")
		}
	}
	return payment.Result{Outcome: hyperlocal.OutcomeAction, Provider: order.Number, Amount: r.Amount, Action: act}, nil
}

// existing answers an order whose number is taken with what became of it. With other content
// under the same key it is refused.
func (g *Gateway) existing(ctx context.Context, a *Account, r *payment.Request, refusal error) (payment.Result, error) {
	t, err := g.query(ctx, a, orderNumber(r.Tenant, r.Key))
	switch {
	case says(err, "ORDER_NOT_EXIST", "RESOURCE_NOT_EXISTS"):
		return outcomeOf(refusal) // it was refused for another reason
	case err != nil:
		// Not the error itself: it may say that nothing was sent, and means the question.
		return payment.Result{}, ErrNoAnswer.WithMessage("the order's number is taken, and how it stands could not be asked; look it up")
	}
	found, err := t.result()
	if err != nil {
		return payment.Result{}, err
	}
	if (t.Attach != "" && t.Attach != r.Key) || (found.Amount.IsValid() && found.Amount != r.Amount) {
		return invalid("idempotency_key_reused"), nil
	}
	return found, nil
}

// query asks for an order, and checks that the answer is about it and of this account.
func (g *Gateway) query(ctx context.Context, a *Account, number string) (*transaction, error) {
	var t transaction
	target := "/v3/pay/transactions/out-trade-no/" + url.PathEscape(number) + "?mchid=" + a.MerchantID
	if err := g.call(ctx, a, http.MethodGet, target, nil, &t); err != nil {
		return nil, err
	}
	if t.MerchantID != a.MerchantID || !a.ours(t.AppID) || t.Number != number {
		return nil, ErrAnswer.WithMessage("the answer is about another order")
	}
	return &t, nil
}

// result says what an order's state means. The order's own number is the reference; the amount
// is the order's, whatever coupons paid of it.
func (t *transaction) result() (payment.Result, error) {
	r := payment.Result{Provider: t.Number}
	if t.Amount != nil {
		r.Amount = moneyOf(t.Amount.Total, t.Amount.Currency)
	}
	switch t.State {
	case "SUCCESS", "REFUND": // the latter: paid, and given back in whole or in part
		if !r.Amount.IsValid() {
			return payment.Result{}, ErrAnswer.WithMessage("the answer does not tell the amount")
		}
		r.Outcome = hyperlocal.OutcomeSucceeded
	case "NOTPAY":
		r.Outcome = hyperlocal.OutcomeAction
	case "USERPAYING", "PAYERROR": // the order is open until it is closed: this is not its end
		r.Outcome, r.Code = hyperlocal.OutcomePending, t.State
	case "CLOSED", "REVOKED":
		r.Outcome, r.Class, r.Code = hyperlocal.OutcomeDeclined, hyperlocal.DeclineHard, t.State
	default:
		return payment.Result{}, ErrAnswer.WithMessage("the answer tells a state that is not known here")
	}
	return r, nil
}

// Lookup implements [payment.Gateway]. An order that waits for the shopper is found without its
// Action: WeChat Pay tells that only to whoever places it. One whose time has been over for half
// an hour is closed before it is answered for: it cannot be paid any more, but WeChat Pay may go
// on calling it unpaid, and the payment would wait for days.
func (g *Gateway) Lookup(ctx context.Context, r payment.LookupRequest) (payment.LookupResult, error) {
	none := payment.LookupResult{}
	if hyperlocal.InTx(ctx) {
		return none, hyperlocal.ErrNetworkInTx
	}
	if !goodKey(r.Key) || (r.Verb != hyperlocal.VerbCharge && r.Verb != hyperlocal.VerbAuthorize && r.Verb != hyperlocal.VerbRefund) {
		return none, nil // refused before it was sent
	}
	a, err := g.account(r.Tenant)
	if err != nil {
		return none, err
	}
	if r.Verb == hyperlocal.VerbRefund {
		return g.lookupRefund(ctx, a, &r)
	}
	number := orderNumber(r.Tenant, r.Key)
	t, err := g.query(ctx, a, number)
	if says(err, "ORDER_NOT_EXIST", "RESOURCE_NOT_EXISTS") {
		return none, nil
	}
	if err == nil && t.State == "NOTPAY" && g.over(r.Operation) {
		if err = g.close(ctx, a, number); err == nil || says(err, "ORDERPAID") {
			t, err = g.query(ctx, a, number)
		}
	}
	if err != nil {
		return none, plain(err)
	}
	if t.Attach != "" && t.Attach != r.Key {
		return none, ErrAnswer.WithMessage("the answer is about another order")
	}
	found, err := t.result()
	if err != nil {
		return none, err
	}
	return payment.LookupResult{Known: true, Result: found}, nil
}

// Close lets go of an order that is not paid, so that nobody can pay it any more; a lookup
// finds it declined then. key is the idempotency key of the charge. Closing a closed order is a
// success. Errors: ErrPaid; ErrNotFound; ErrRefused; those of a call.
func (g *Gateway) Close(ctx context.Context, tenant hyperlocal.TenantID, key string) error {
	if hyperlocal.InTx(ctx) {
		return hyperlocal.ErrNetworkInTx
	}
	if !goodKey(key) {
		return ErrNotFound
	}
	a, err := g.account(tenant)
	if err != nil {
		return err
	}
	err = g.close(ctx, a, orderNumber(tenant, key))
	switch {
	case says(err, "ORDERPAID"):
		return ErrPaid
	case says(err, "ORDER_NOT_EXIST", "RESOURCE_NOT_EXISTS"):
		return ErrNotFound
	}
	return plain(err)
}

func (g *Gateway) close(ctx context.Context, a *Account, number string) error {
	err := g.call(ctx, a, http.MethodPost, "/v3/pay/transactions/out-trade-no/"+number+"/close",
		struct {
			MerchantID string `json:"mchid"`
		}{a.MerchantID}, nil)
	if says(err, "ORDER_CLOSED") {
		return nil
	}
	return err
}

// Capture implements [payment.Gateway]: there is nothing to capture.
func (g *Gateway) Capture(ctx context.Context, _ payment.CaptureRequest) (payment.Result, error) {
	return unsupported(ctx)
}

// Void implements [payment.Gateway]: there is nothing to void. See Close.
func (g *Gateway) Void(ctx context.Context, _ payment.VoidRequest) (payment.Result, error) {
	return unsupported(ctx)
}

func unsupported(ctx context.Context) (payment.Result, error) {
	if hyperlocal.InTx(ctx) {
		return payment.Result{}, hyperlocal.ErrNetworkInTx
	}
	return invalid("verb_not_supported"), nil
}

// check returns the amount in fen, or why the request is not sent.
func check(r *payment.Request) (units int64, code string) {
	if !goodKey(r.Key) {
		return 0, "bad_key"
	}
	units, ok := minor(r.Amount)
	if !ok {
		return 0, "currency_or_amount_not_supported"
	}
	return units, ""
}

// expiry is when an order ends. It is counted from when the operation was made, which its id
// tells (UUIDv7), so that the same order is the same when it is sent again.
func (g *Gateway) expiry(operation string) string {
	now := g.clock.Now()
	end := now.Add(g.payWithin)
	if made, ok := madeAt(operation); ok {
		if e := made.Add(g.payWithin); !made.After(now.Add(time.Minute)) && e.After(now.Add(time.Minute)) {
			end = e
		}
	}
	return end.In(china).Format(time.RFC3339)
}

// overAfter is longer than a charge may be late for its first sending, so that an order that was
// sent late has had its time too; see payment.Policy.SendWithin.
const overAfter = 30 * time.Minute

// over reports whether an order's time has been over for a while.
func (g *Gateway) over(operation string) bool {
	made, ok := madeAt(operation)
	return ok && g.clock.Now().After(made.Add(g.payWithin+overAfter))
}

// china is the zone of WeChat Pay's days.
var china = time.FixedZone("UTC+8", 8*60*60)

func madeAt(id string) (time.Time, bool) {
	if !hyperlocal.ValidID(id) || id[14] != '7' {
		return time.Time{}, false
	}
	var b [8]byte
	if _, err := hex.Decode(b[2:], []byte(id[:8]+id[9:13])); err != nil {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:]))), true
}
