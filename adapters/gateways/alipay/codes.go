package alipay

import (
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Code is a code of Alipay and what it means for a payment: surely not processed, and whether
// it makes sense to try again. A code that is not listed means that the outcome is unknown.
type Code struct {
	Code  string // sub_code, or code where the gateway itself refuses
	Class hyperlocal.DeclineClass
	About string // in our words
}

// Codes returns the table of codes. The caller owns the slice.
func Codes() []Code {
	return []Code{
		// The gateway refused the request before any business was done (field code).
		{"20001", hyperlocal.DeclineInvalid, "the app is not authorised"},
		{"40001", hyperlocal.DeclineInvalid, "a parameter is missing"},
		{"40002", hyperlocal.DeclineInvalid, "a parameter, the app id or the signature is wrong"},
		{"40003", hyperlocal.DeclineInvalid, "a condition of the interface is not met"},
		{"40005", hyperlocal.DeclineRateLimited, "too many calls"},
		{"40006", hyperlocal.DeclineInvalid, "the app lacks the permission"},
		// The business refused it (field sub_code with code 40004).
		{"ACQ.INVALID_PARAMETER", hyperlocal.DeclineInvalid, "a parameter is wrong"},
		{"ACQ.ACCESS_FORBIDDEN", hyperlocal.DeclineInvalid, "the product is not signed for"},
		{"ACQ.PARTNER_ERROR", hyperlocal.DeclineInvalid, "the app id is wrong"},
		{"ACQ.EXIST_FORBIDDEN_WORD", hyperlocal.DeclineInvalid, "a forbidden word"},
		{"ACQ.CONTEXT_INCONSISTENT", hyperlocal.DeclineInvalid, "the trade exists with other content"},
		{"ACQ.TOTAL_FEE_EXCEED", hyperlocal.DeclineInvalid, "the amount is above the limit of the product"},
		{"ACQ.INVALID_STORE_ID", hyperlocal.DeclineInvalid, "the store is unknown"},
		{"ACQ.TRADE_HAS_CLOSE", hyperlocal.DeclineHard, "the trade is closed"},
		{"ACQ.TRADE_BUYER_NOT_MATCH", hyperlocal.DeclineHard, "the trade belongs to another buyer"},
		{"ACQ.BUYER_SELLER_EQUAL", hyperlocal.DeclineHard, "buyer and seller are the same"},
		{"ACQ.BUYER_ENABLE_STATUS_FORBID", hyperlocal.DeclineHard, "the buyer may not pay"},
		{"ACQ.SELLER_BEEN_BLOCKED", hyperlocal.DeclineHard, "the seller is blocked"},
		{"ACQ.ERROR_BUYER_CERTIFY_LEVEL_LIMIT", hyperlocal.DeclineHard, "the buyer is not identified"},
		{"ACQ.BUYER_BALANCE_NOT_ENOUGH", hyperlocal.DeclineSoft, "the buyer's balance is too low"},
		{"ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH", hyperlocal.DeclineSoft, "the buyer's card has not enough"},
		{"ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR", hyperlocal.DeclineSoft, "the buyer's limit for the day"},
		{"ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR", hyperlocal.DeclineSoft, "the buyer's limit for the month"},
		{"ACQ.BEYOND_PAY_RESTRICTION", hyperlocal.DeclineSoft, "the seller's limit for the day"},
		{"ACQ.BEYOND_PER_RECEIPT_RESTRICTION", hyperlocal.DeclineHard, "the seller's limit for one payment"},
		// Refunds.
		{"ACQ.TRADE_NOT_EXIST", hyperlocal.DeclineInvalid, "there is no such trade"},
		{"ACQ.SELLER_BALANCE_NOT_ENOUGH", hyperlocal.DeclineSoft, "the seller's balance is too low"},
		{"ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", hyperlocal.DeclineInvalid, "more than what is left of the trade"},
		{"ACQ.REASON_TRADE_REFUND_FEE_ERR", hyperlocal.DeclineInvalid, "the amount to refund is wrong"},
		{"ACQ.REFUND_FEE_ERROR", hyperlocal.DeclineInvalid, "the amount to refund is wrong"},
		{"ACQ.CURRENCY_NOT_SUPPORT", hyperlocal.DeclineInvalid, "the currency is not that of the trade"},
		{"ACQ.DISCORDANT_REPEAT_REQUEST", hyperlocal.DeclineInvalid, "the refund's number was used with other content"},
		{"ACQ.REASON_TRADE_BEEN_FREEZEN", hyperlocal.DeclineHard, "the trade is frozen"},
		{"ACQ.TRADE_HAS_FINISHED", hyperlocal.DeclineHard, "the trade is finished and takes no refund"},
		{"ACQ.TRADE_STATUS_ERROR", hyperlocal.DeclineHard, "the trade is in a state that does not allow it"},
		{"ACQ.REASON_TRADE_STATUS_INVALID", hyperlocal.DeclineHard, "the trade is in a state that does not allow it"},
		{"ACQ.TRADE_NOT_ALLOW_REFUND", hyperlocal.DeclineHard, "the trade takes no refund"},
		{"ACQ.NOT_ALLOW_PARTIAL_REFUND", hyperlocal.DeclineHard, "the trade takes no partial refund"},
		{"ACQ.ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND", hyperlocal.DeclineHard, "the trade was paid with a voucher and takes no refund"},
		{"ACQ.REFUND_ACCOUNT_NOT_EXIST", hyperlocal.DeclineHard, "the account that pays for refunds does not exist"},
		{"ACQ.CUSTOMER_VALIDATE_ERROR", hyperlocal.DeclineHard, "the account is closed or frozen"},
		{"ACQ.USER_NOT_MATCH_ERR", hyperlocal.DeclineHard, "the trade belongs to other accounts"},
		{"ACQ.BUYER_NOT_EXIST", hyperlocal.DeclineHard, "the buyer's account does not exist"},
		{"ACQ.BUYER_ERROR", hyperlocal.DeclineHard, "the buyer's account takes no refund"},
	}
}

// classes is the table as it is looked into.
func classes() map[string]hyperlocal.DeclineClass {
	m := make(map[string]hyperlocal.DeclineClass)
	for _, c := range Codes() {
		m[c.Code] = c.Class
	}
	return m
}

const (
	codeDone    = "10000"
	codeBusy    = "40005"
	codeRefused = "40004" // by the business: sub_code decides

	subNotExist   = "ACQ.TRADE_NOT_EXIST"
	subHasSuccess = "ACQ.TRADE_HAS_SUCCESS"
)

// Codes that are ours: nothing was sent, or Alipay's state says it.
const (
	CodeClosed  = "trade_closed" // the trade was closed before it was paid
	CodeExpired = "link_expired" // nobody followed the link while it was good
)

// refusal turns an answer other than 10000 into a decline, or into [ErrUncertain].
func (g *Gateway) refusal(r *reply) (payment.Result, error) {
	code := r.Code
	class, known := g.classes[code]
	if r.Code == codeRefused {
		code = r.SubCode
		class, known = g.classes[code]
	}
	if !known {
		return payment.Result{}, ErrUncertain.With("code", plain(r.Code)).With("sub_code", plain(r.SubCode))
	}
	if r.SubCode != "" {
		code = r.SubCode
	}
	return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: class, Code: plain(code), RetryAfter: r.retryAfter}, nil
}

// refusedQuestion is the error for a question that was not answered.
func refusedQuestion(r *reply) error {
	return ErrRefused.With("code", plain(r.Code)).With("sub_code", plain(r.SubCode)).WithRetryAfter(r.retryAfter)
}

func declined(class hyperlocal.DeclineClass, code string) payment.Result {
	return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: class, Code: code}
}

// plain bounds a code from outside before it goes into errors and rows.
func plain(code string) string {
	if len(code) > 64 {
		code = code[:64]
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return '?'
	}, code)
}
