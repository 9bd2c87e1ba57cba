package stripetest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Intent is a PaymentIntent of the double. Amounts are integers as Stripe writes them.
type Intent struct {
	ID, Account                  string
	Amount, Capturable, Received int64
	Refunded                     int64 // or on its way
	Currency, Status             string
	CaptureMethod, Method        string
	Metadata                     map[string]string
	Created                      int64
	Charge, CancelReason         string
	Error                        map[string]any // last_payment_error
	Redirects                    bool           // there is a page to send the shopper to
	Live                         bool
}

// Refund is a Refund of the double.
type Refund struct {
	ID, Account, Intent, Currency, Status string
	Amount                                int64
	Metadata                              map[string]string
	Created                               int64
}

func fail(kind, code, message string) []byte {
	return failWith(map[string]any{"type": kind, "code": code, "message": message})
}

func failWith(e map[string]any) []byte {
	if e["code"] == "" {
		delete(e, "code")
	}
	text, _ := json.Marshal(map[string]any{"error": e})
	return text
}

func (s *Server) payMethod(r *http.Request) string {
	if m := r.Form.Get("payment_method"); m != "" {
		return m
	}
	id := r.Form.Get("payment_intent")
	if rest, ok := strings.CutPrefix(r.URL.Path, "/v1/payment_intents/"); ok {
		id, _, _ = strings.Cut(rest, "/")
	}
	for _, in := range s.intents {
		if in.ID == id {
			return in.Method
		}
	}
	return ""
}

// route does what the request asks for. The lock is held.
func (s *Server) route(r Request) (int, []byte) {
	rest, _ := strings.CutPrefix(r.Path, "/v1/payment_intents/")
	id, _, _ := strings.Cut(rest, "/")
	switch r.Kind {
	case "list":
		return s.list(r)
	case "create":
		if r.Path == "/v1/payment_intents" {
			return s.create(r)
		}
	case "refund":
		return s.refund(r)
	case "get", "capture", "cancel":
		in := s.intent(r.Account, id)
		if in == nil {
			return http.StatusNotFound, fail("invalid_request_error", "resource_missing", "No such payment_intent: '"+id+"'")
		}
		switch r.Kind {
		case "capture":
			return s.capture(r, in)
		case "cancel":
			return s.cancel(r, in)
		}
		return s.show(r, in)
	}
	return http.StatusNotFound, fail("invalid_request_error", "", "Unrecognized request URL.")
}

func (s *Server) intent(account, id string) *Intent {
	for _, in := range s.intents {
		if in.ID == id && in.Account == account {
			return in
		}
	}
	return nil
}

func metadata(form url.Values) map[string]string {
	m := map[string]string{}
	for name, v := range form {
		if inner, ok := strings.CutPrefix(name, "metadata["); ok {
			m[strings.TrimSuffix(inner, "]")] = v[0]
		}
	}
	return m
}

var threeDecimals = []string{"bhd", "jod", "kwd", "omr", "tnd"}

func (s *Server) create(r Request) (int, []byte) {
	amount, err := strconv.ParseInt(r.Form.Get("amount"), 10, 64)
	currency := r.Form.Get("currency")
	switch {
	case err != nil || amount < 1 || amount > 99_999_999:
		return http.StatusBadRequest, fail("invalid_request_error", "parameter_invalid_integer", "Invalid amount.")
	case len(currency) != 3 || currency != strings.ToLower(currency):
		return http.StatusBadRequest, fail("invalid_request_error", "", "Invalid currency.")
	case slices.Contains(threeDecimals, currency) && amount%10 != 0, (currency == "isk" || currency == "ugx") && amount%100 != 0:
		return http.StatusBadRequest, fail("invalid_request_error", "", "Invalid amount for the currency.")
	}
	in := &Intent{ID: s.id("pi"), Account: r.Account, Amount: amount, Currency: currency, Status: "requires_payment_method",
		CaptureMethod: r.Form.Get("capture_method"), Method: r.Form.Get("payment_method"), Metadata: metadata(r.Form),
		Created: s.c.Now().Unix(), Redirects: r.Form.Get("return_url") != "", Live: s.c.Live}
	if token := r.Form.Get("confirmation_token"); token != "" {
		in.Method = "pm_card_visa"
	}
	if r.Form.Get("confirm") != "true" {
		s.intents = append(s.intents, in)
		s.tell("payment_intent.created", in)
		return s.show(r, in)
	}
	if r.Form.Get("return_url") == "" && r.Form.Get("automatic_payment_methods[allow_redirects]") != "never" {
		return http.StatusBadRequest, fail("invalid_request_error", "", "a return_url is needed to confirm")
	}
	code, known := declined[in.Method]
	switch {
	case known:
		s.intents = append(s.intents, in)
		s.decline(in, code)
		return http.StatusPaymentRequired, failWith(in.Error)
	case in.Method == "pm_card_threeDSecure2Required":
		in.Status = "requires_action"
		s.intents = append(s.intents, in)
		s.tell("payment_intent.requires_action", in)
	case in.Method == "pm_usBankAccount_success":
		in.Status, in.Charge = "processing", s.id("ch")
		s.intents = append(s.intents, in)
		s.tell("payment_intent.processing", in)
	case in.Method == "pm_card_visa", strings.HasPrefix(in.Method, "pm_fault_"):
		s.intents = append(s.intents, in)
		s.succeed(in)
	default:
		return http.StatusBadRequest, fail("invalid_request_error", "resource_missing", "No such PaymentMethod: '"+in.Method+"'")
	}
	return s.show(r, in)
}

// declined are Stripe's test methods that are.
var declined = map[string]string{
	"pm_card_visa_chargeDeclined":                  "generic_decline",
	"pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
	"pm_card_visa_chargeDeclinedLostCard":          "lost_card",
	"pm_card_chargeDeclinedProcessingError":        "processing_error",
}

func (s *Server) decline(in *Intent, code string) {
	in.Status, in.Charge = "requires_payment_method", s.id("ch")
	e := map[string]any{"type": "card_error", "code": "card_declined", "decline_code": code, "message": "Your card was declined."}
	if code == "processing_error" {
		e["code"] = code
		delete(e, "decline_code")
	}
	in.Error = map[string]any{}
	for k, v := range e {
		in.Error[k] = v
	}
	s.tell("payment_intent.payment_failed", in)
	e["payment_intent"] = s.intentObject(in, false)
	in.Error = e
}

func (s *Server) succeed(in *Intent) {
	if in.Charge == "" {
		in.Charge = s.id("ch")
	}
	in.Error = nil
	if in.CaptureMethod == "manual" {
		in.Status, in.Capturable = "requires_capture", in.Amount
		s.moved("authorize", in, in.Amount, in.Metadata)
		s.tell("payment_intent.amount_capturable_updated", in)
		return
	}
	in.Status, in.Received = "succeeded", in.Amount
	s.moved("charge", in, in.Amount, in.Metadata)
	s.tell("payment_intent.succeeded", in)
}

func (s *Server) moved(kind string, in *Intent, amount int64, meta map[string]string) {
	copied := map[string]string{}
	for k, v := range meta {
		copied[k] = v
	}
	s.moves = append(s.moves, Move{Account: in.Account, Kind: kind, Intent: in.ID, Amount: amount, Currency: in.Currency, Metadata: copied})
}

func unexpected(in *Intent) (int, []byte) {
	return http.StatusBadRequest, fail("invalid_request_error", "payment_intent_unexpected_state", "The PaymentIntent has a status of "+in.Status+".")
}

func (s *Server) capture(r Request, in *Intent) (int, []byte) {
	amount, err := strconv.ParseInt(r.Form.Get("amount_to_capture"), 10, 64)
	switch {
	case in.Status != "requires_capture":
		return unexpected(in)
	case err != nil || amount < 1 || amount > in.Capturable:
		return http.StatusBadRequest, fail("invalid_request_error", "amount_too_large", "The amount to capture exceeds the capturable amount.")
	}
	for k, v := range metadata(r.Form) {
		in.Metadata[k] = v
	}
	s.take(in, amount)
	return s.show(r, in)
}

func (s *Server) take(in *Intent, amount int64) {
	in.Status, in.Received, in.Capturable = "succeeded", amount, 0
	s.moved("capture", in, amount, in.Metadata)
	s.tell("payment_intent.succeeded", in)
}

func (s *Server) cancel(r Request, in *Intent) (int, []byte) {
	if in.Status == "succeeded" || in.Status == "canceled" || in.Status == "processing" {
		return unexpected(in)
	}
	s.end(in, r.Form.Get("cancellation_reason"))
	return s.show(r, in)
}

func (s *Server) end(in *Intent, reason string) {
	if in.Status == "requires_capture" {
		s.moved("void", in, in.Capturable, in.Metadata)
	}
	in.Status, in.Capturable, in.CancelReason = "canceled", 0, reason
	s.tell("payment_intent.canceled", in)
}

func (s *Server) refund(r Request) (int, []byte) {
	in := s.intent(r.Account, r.Form.Get("payment_intent"))
	amount, err := strconv.ParseInt(r.Form.Get("amount"), 10, 64)
	switch {
	case in == nil:
		return http.StatusNotFound, fail("invalid_request_error", "resource_missing", "No such payment_intent")
	case in.Status != "succeeded":
		return http.StatusBadRequest, fail("invalid_request_error", "", "This PaymentIntent does not have a successful charge to refund.")
	case in.Refunded == in.Received:
		return http.StatusBadRequest, fail("invalid_request_error", "charge_already_refunded", "Charge has already been refunded.")
	case err != nil || amount < 1 || amount > in.Received-in.Refunded:
		return http.StatusBadRequest, fail("invalid_request_error", "", "Refund amount is greater than unrefunded amount on charge")
	}
	re := &Refund{ID: s.id("re"), Account: r.Account, Intent: in.ID, Currency: in.Currency, Status: "succeeded", Amount: amount,
		Metadata: metadata(r.Form), Created: s.c.Now().Unix()}
	if in.Method == "pm_usBankAccount_success" {
		re.Status = "pending"
	}
	in.Refunded += amount
	s.refunds = append(s.refunds, re)
	s.moved("refund", in, amount, re.Metadata)
	s.tell("refund.created", re)
	text, _ := json.Marshal(refundObject(re))
	return http.StatusOK, text
}

// list answers newest first, as Stripe does.
func (s *Server) list(r Request) (int, []byte) {
	limit, err := strconv.Atoi(r.Form.Get("limit"))
	if err != nil || limit < 1 || limit > 100 {
		limit = 10
	}
	after := r.Form.Get("starting_after")
	skipping := after != ""
	data := []any{}
	more := false
	add := func(id string, object any) {
		switch {
		case skipping:
			skipping = id != after
		case len(data) == limit:
			more = true
		default:
			data = append(data, object)
		}
	}
	if r.Path == "/v1/refunds" {
		for _, re := range slices.Backward(s.refunds) {
			if re.Account == r.Account && (r.Form.Get("payment_intent") == "" || re.Intent == r.Form.Get("payment_intent")) {
				add(re.ID, refundObject(re))
			}
		}
	} else {
		for _, in := range slices.Backward(s.intents) {
			if in.Account == r.Account && within(r.Form, in.Created) {
				add(in.ID, s.intentObject(in, false))
			}
		}
	}
	text, _ := json.Marshal(map[string]any{"object": "list", "url": r.Path, "data": data, "has_more": more})
	return http.StatusOK, text
}

func within(form url.Values, created int64) bool {
	for name, ok := range map[string]func(int64) bool{
		"created[gte]": func(t int64) bool { return created >= t }, "created[gt]": func(t int64) bool { return created > t },
		"created[lte]": func(t int64) bool { return created <= t }, "created[lt]": func(t int64) bool { return created < t },
	} {
		if text := form.Get(name); text != "" {
			if t, err := strconv.ParseInt(text, 10, 64); err != nil || !ok(t) {
				return false
			}
		}
	}
	return true
}

func (s *Server) show(r Request, in *Intent) (int, []byte) {
	text, _ := json.Marshal(s.intentObject(in, slices.Contains(r.Form["expand[]"], "latest_charge.balance_transaction")))
	return http.StatusOK, text
}

func (s *Server) intentObject(in *Intent, expand bool) map[string]any {
	o := map[string]any{
		"id": in.ID, "object": "payment_intent", "amount": in.Amount, "amount_capturable": in.Capturable,
		"amount_received": in.Received, "capture_method": in.CaptureMethod, "client_secret": in.ID + "_secret_double",
		"created": in.Created, "currency": in.Currency, "livemode": in.Live, "status": in.Status,
		"latest_charge": nil, "last_payment_error": nil, "next_action": nil, "payment_method": nil, "cancellation_reason": nil,
	}
	copied := map[string]string{}
	for k, v := range in.Metadata {
		copied[k] = v
	}
	o["metadata"] = copied
	if in.Error != nil {
		e := map[string]any{}
		for k, v := range in.Error {
			if k != "payment_intent" {
				e[k] = v
			}
		}
		o["last_payment_error"] = e
	}
	if in.CancelReason != "" {
		o["cancellation_reason"] = in.CancelReason
	}
	if in.Status == "requires_action" {
		o["next_action"] = map[string]any{"type": "use_stripe_sdk", "use_stripe_sdk": map[string]any{"type": "three_d_secure_redirect"}}
		if in.Redirects {
			o["next_action"] = map[string]any{"type": "redirect_to_url", "redirect_to_url": map[string]any{"url": "https://hooks.stripe.invalid/" + in.ID}}
		}
	}
	if in.Charge == "" {
		return o
	}
	o["latest_charge"] = in.Charge
	if expand {
		var balance any
		if in.Received > 0 {
			balance = map[string]any{"id": "txn_" + in.Charge, "object": "balance_transaction", "fee": in.Received*29/1000/10*10 + 30, "currency": in.Currency}
		}
		o["latest_charge"] = map[string]any{"id": in.Charge, "object": "charge", "balance_transaction": balance}
	}
	return o
}

func refundObject(re *Refund) map[string]any {
	copied := map[string]string{}
	for k, v := range re.Metadata {
		copied[k] = v
	}
	return map[string]any{"id": re.ID, "object": "refund", "amount": re.Amount, "currency": re.Currency, "payment_intent": re.Intent,
		"status": re.Status, "metadata": copied, "created": re.Created}
}
