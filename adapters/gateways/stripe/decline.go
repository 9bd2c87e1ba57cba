package stripe

import (
	"net/http"
	"slices"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Decline is what one of Stripe's codes means for a retry.
type Decline struct {
	Code  string // decline_code of a card error, else code
	Class hyperlocal.DeclineClass
}

const (
	hard    = hyperlocal.DeclineHard
	soft    = hyperlocal.DeclineSoft
	limited = hyperlocal.DeclineRateLimited
	down    = hyperlocal.DeclineProviderDown
	invalid = hyperlocal.DeclineInvalid
)

// declines is sorted by code. Sources: docs.stripe.com/declines/codes and
// docs.stripe.com/error-codes. Where Stripe's advice is that the shopper speaks to the bank or
// takes another card, asking again is of no use: hard.
var declines = []Decline{
	{"account_closed", hard},
	{"account_invalid", down}, // of Stripe-Account: the request was not looked at
	{"amount_too_large", invalid},
	{"amount_too_small", invalid},
	{"api_key_expired", down},
	{"approve_with_id", soft},
	{"authentication_not_handled", hard},
	{"authentication_required", hard}, // the shopper has to be there
	{"balance_insufficient", soft},
	{"call_issuer", hard},
	{"canceled", hard}, // ours, for an intent that was cancelled
	{"card_not_supported", hard},
	{"card_velocity_exceeded", soft},
	{"charge_already_captured", invalid},
	{"charge_already_refunded", invalid},
	{"charge_disputed", hard},
	{"charge_expired_for_capture", hard},
	{"charge_for_pending_refund_disputed", hard},
	{"currency_not_supported", hard},
	{"declined", hard}, // of a refund
	{"do_not_honor", hard},
	{"do_not_try_again", hard},
	{"duplicate_transaction", hard}, // may have been paid already
	{"expired_card", hard},
	{"expired_or_canceled_card", hard},
	{"fraudulent", hard},
	{"generic_decline", hard},
	{"incorrect_cvc", hard},
	{"incorrect_number", hard},
	{"incorrect_pin", hard},
	{"incorrect_zip", hard},
	{"insufficient_funds", soft},
	{"invalid_account", hard},
	{"invalid_amount", hard},
	{"invalid_cvc", hard},
	{"invalid_expiry_month", hard},
	{"invalid_expiry_year", hard},
	{"invalid_number", hard},
	{"invalid_pin", hard},
	{"issuer_not_available", soft},
	{"lock_timeout", limited},
	{"lost_card", hard},
	{"lost_or_stolen_card", hard},
	{"merchant_blacklist", hard},
	{"new_account_information_available", hard},
	{"no_action_taken", hard},
	{"not_permitted", hard},
	{"offline_pin_required", hard},
	{"online_or_offline_pin_required", hard},
	{"payment_intent_authentication_failure", hard},
	{"payment_intent_unexpected_state", invalid},
	{"payment_method_provider_decline", hard},
	{"payment_method_provider_timeout", soft},
	{"pickup_card", hard},
	{"pin_try_exceeded", hard},
	{"platform_api_key_expired", down},
	{"processing_error", down},
	{"rate_limit", limited},
	{"reenter_transaction", soft},
	{"resource_missing", invalid},
	{"restricted_card", hard},
	{"revocation_of_all_authorizations", hard},
	{"revocation_of_authorization", hard},
	{"security_violation", hard},
	{"service_not_allowed", hard},
	{"stolen_card", hard},
	{"stop_payment_order", hard},
	{"testmode_decline", invalid}, // a test card and a live key
	{"transaction_not_allowed", hard},
	{"try_again_later", soft},
	{"withdrawal_count_limit_exceeded", soft},
}

// Declines returns the table of Stripe's codes, sorted. A code that is not in it is hard for a
// card or a refund, and invalid for a request. The slice is the caller's.
func Declines() []Decline { return slices.Clone(declines) }

func classOf(code string, otherwise hyperlocal.DeclineClass) hyperlocal.DeclineClass {
	at, ok := slices.BinarySearchFunc(declines, code, func(d Decline, code string) int { return strings.Compare(d.Code, code) })
	if !ok {
		return otherwise
	}
	return declines[at].Class
}

// problem is the error object of Stripe's API.
type problem struct {
	Type        string  `json:"type"`
	Code        string  `json:"code"`
	DeclineCode string  `json:"decline_code"`
	Intent      *intent `json:"payment_intent"`
}

// name is the code that people look up.
func (p *problem) name() string {
	for _, text := range []string{p.DeclineCode, p.Code, p.Type} {
		if text != "" && len(text) <= payment.MaxProvider && word(text) {
			return text
		}
	}
	return "unknown"
}

// refusal reads an answer that is an error. It returns false if the request may have been
// processed all the same.
func (p *problem) refusal(a *answer) (payment.Result, bool) {
	if p.Intent != nil && (p.Intent.Status == statusSucceeded || p.Intent.Status == statusProcessing) {
		return payment.Result{}, false // an error, and an intent that has none
	}
	declined := func(class hyperlocal.DeclineClass) (payment.Result, bool) {
		return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: class, Code: p.name(), RetryAfter: a.retryAfter}, true
	}
	switch {
	case a.status == http.StatusTooManyRequests:
		return declined(limited)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		// The key is revoked, expired or may not do this. Nothing was done, and what is owed can
		// be done when the key has been seen to.
		return declined(down)
	case a.status != http.StatusBadRequest && a.status != http.StatusPaymentRequired && a.status != http.StatusNotFound:
		return payment.Result{}, false
	case p.Type == "card_error":
		return declined(classOf(p.name(), hard))
	case p.Type == "invalid_request_error":
		return declined(classOf(p.name(), invalid))
	}
	return payment.Result{}, false
}

// refused is a decline that is ours: the request is wrong.
func refused(code string) payment.Result {
	return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: invalid, Code: code}
}
