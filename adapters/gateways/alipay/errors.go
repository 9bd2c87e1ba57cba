package alipay

import (
	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Errors of this gateway. Those that say the request was not sent wrap [payment.ErrNotSent];
// after any other one it may have been processed.
var (
	// ErrUnknownTenant: Config.Accounts knows no account of the tenant. Nothing was sent.
	ErrUnknownTenant = hyperlocal.NewError(hyperlocal.CodeNotFound, "alipay/unknown_tenant",
		"the tenant has no Alipay account; have Config.Accounts return one made by NewAccount").WithCause(payment.ErrNotSent)
	// ErrNoAnswer: the connection broke, time ran out, or something other than an answer came.
	ErrNoAnswer = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "alipay/no_answer",
		"Alipay did not answer; the request may have been processed, so look it up")
	// ErrBadAnswer: an answer came that is not signed by Alipay, or not about what was asked.
	ErrBadAnswer = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "alipay/bad_answer",
		"the answer cannot be believed; check the account's keys or certificates, and look the request up")
	// ErrUncertain: Alipay itself does not know, or used a code that is not in [Codes].
	ErrUncertain = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "alipay/uncertain",
		"Alipay does not say whether the request was processed; look it up")
	// ErrTooEarly: Alipay may show a refund some seconds late, so that finding none proves nothing yet.
	ErrTooEarly = hyperlocal.NewError(hyperlocal.CodeUnavailable, "alipay/too_early",
		"Alipay shows refunds some seconds late; look again").WithRetryAfter(refundDelay)
	// ErrRefused: Alipay refused a question about a payment, a close or a bill; nothing changed.
	ErrRefused = hyperlocal.NewError(hyperlocal.CodeUnavailable, "alipay/refused",
		"Alipay refused the question; its code says why")
	// ErrNoBill: there is no bill for that day or month, or not yet.
	ErrNoBill = hyperlocal.NewError(hyperlocal.CodeNotFound, "alipay/no_bill",
		"there is no such bill; that of a day appears at about nine o'clock (UTC+8) the day after")
	// ErrBillHost: the address of the bill is not at a host of Config.BillHosts. It was not called.
	ErrBillHost = hyperlocal.NewError(hyperlocal.CodePermission, "alipay/bill_host",
		"the bill is offered at a host that is not allowed; if it is Alipay's, add it to Config.BillHosts")
	// ErrBillTooLarge: the bill has more than Config.MaxBill bytes.
	ErrBillTooLarge = hyperlocal.NewError(hyperlocal.CodeExhausted, "alipay/bill_too_large",
		"the bill is larger than Config.MaxBill; raise it, or fetch a day instead of a month")
)

func notSent(err error) error { return payment.ErrNotSent.WithCause(err) }
