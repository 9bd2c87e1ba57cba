package wechatpaytest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What a shopper does, or what befalls the order, by its openid. A hyphen and anything may
// follow.
const (
	Pays              = "pays"           // as soon as the order is placed
	Waits             = "waits"          // until Pay or Close
	LosesAnswer       = "loses_answer"   // pays, and the answer to placing is lost
	LosesRequest      = "loses_request"  // the first placing does not arrive; then pays
	RefundLosesAnswer = "refund_loses"   // pays, and the answer to the first refund is lost
	RefundPends       = "refund_pends"   // pays, and refunds wait for FinishRefund
	DeclinedHard      = "declined_hard"  // the account is closed
	DeclinedSoft      = "declined_soft"  // a limit is reached
	Invalid           = "invalid_openid" // the openid is not of this app
	RateLimited       = "rate_limited"
)

// Fault is what goes wrong with one request.
type Fault string

// The faults. Those of the first line strike before the request is processed.
const (
	Reset, Refuse503, Limit                            Fault = "reset", "503", "limit"
	Lose, Hang, Truncate, Answer500, Huge              Fault = "lose", "hang", "truncate", "500", "huge"
	Unsigned, BadSignature, Probe, OtherSerial, OldSig Fault = "unsigned", "bad_signature", "probe", "other_serial", "old"
	Redirect, Garbage                                  Fault = "redirect", "garbage"
	OtherOrder, OtherRefund, OtherMerchant             Fault = "other_order", "other_refund", "other_merchant"
)

// Order is an order as the provider knows it.
type Order struct {
	Number, AppID, OpenID, Attach, Type, State, Currency, Transaction string
	NotifyURL, Description, Expires                                   string
	Total, Refunded                                                   int64
	At                                                                time.Time
}

// Refund is a refund as the provider knows it.
type Refund struct {
	Number, Order, ID, Status, NotifyURL string
	Amount, Total                        int64
	At                                   time.Time
}

// Server is the double. Its methods may be called from many goroutines.
type Server struct {
	URL  string
	Now  func() time.Time // nil for the system's clock; set before use
	keys Keys

	mu       sync.Mutex
	orders   map[string]*Order
	refunds  map[string]*Refund
	lost     map[string]bool
	fault    func(r *http.Request) Fault
	requests []string
	wrong    []string
	bill     []byte
	billSum  string
	billFrom string
	done     chan struct{}
}

// New starts a server that ends with the test.
func New(t testing.TB, keys Keys) *Server {
	t.Helper()
	s := &Server{keys: keys, orders: map[string]*Order{}, refunds: map[string]*Refund{}, lost: map[string]bool{}, done: make(chan struct{})}
	h := httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = h.URL
	t.Cleanup(func() {
		close(s.done)
		h.Close()
	})
	return s
}

// Fail decides what goes wrong with requests from now on; nil for nothing. The function is
// called for each before it is processed, from many goroutines, and may use the server.
func (s *Server) Fail(fault func(r *http.Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// FailNext makes the fault strike the next request whose path contains part, once.
func (s *Server) FailNext(part string, fault Fault) {
	var struck atomic.Bool
	s.Fail(func(r *http.Request) Fault {
		if strings.Contains(r.URL.Path, part) && struck.CompareAndSwap(false, true) {
			return fault
		}
		return ""
	})
}

// Requests returns method and path of every request that arrived.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Complaints returns what was wrong with requests that a correct client does not send.
func (s *Server) Complaints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrong)
}

// Order returns an order by its number.
func (s *Server) Order(number string) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orders[number]
	if !ok {
		return Order{}, false
	}
	return *o, true
}

// ByAttach returns the order with that attach.
func (s *Server) ByAttach(attach string) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		if o.Attach == attach {
			return *o, true
		}
	}
	return Order{}, false
}

// Refunds returns the refunds of orders whose attach contains part.
func (s *Server) Refunds(part string) []Refund {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Refund
	for _, r := range s.refunds {
		if strings.Contains(s.orders[r.Order].Attach, part) {
			found = append(found, *r)
		}
	}
	return found
}

// Paid counts the orders that were paid and whose attach contains part.
func (s *Server) Paid(part string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, o := range s.orders {
		if (o.State == "SUCCESS" || o.State == "REFUND") && strings.Contains(o.Attach, part) {
			n++
		}
	}
	return n
}

// End has the shopper pay (true) or the order closed (false), if it waits.
func (s *Server) End(number string, paid bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orders[number]
	if !ok || o.State != "NOTPAY" {
		return false
	}
	if paid {
		s.pay(o)
	} else {
		o.State = "CLOSED"
	}
	return true
}

// SetState puts an order into any state.
func (s *Server) SetState(number, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[number].State = state
}

// SetRefund puts a refund into any state.
func (s *Server) SetRefund(number, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.refunds[number]
	if r.Status == "PROCESSING" && status == "CLOSED" {
		s.orders[r.Order].Refunded -= r.Amount
	}
	r.Status = status
}

// SetBill is what the trade bill of every day is. sum "" means the right digest, from "" this
// server.
func (s *Server) SetBill(text []byte, sum, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bill, s.billSum, s.billFrom = text, sum, from
}

func (s *Server) pay(o *Order) {
	o.State = "SUCCESS"
	o.Transaction = fmt.Sprintf("42000000%020d", len(s.requests))
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

type answer struct {
	status int
	body   any
	lose   bool
}

func fail(status int, code string) answer {
	return answer{status: status, body: map[string]string{"code": code, "message": "为什么: " + code}}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	decide := s.fault
	s.mu.Unlock()
	fault := Fault("")
	if decide != nil {
		fault = decide(r)
	}
	switch fault {
	case Reset:
		drop(w)
		return
	case Refuse503:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case Limit:
		w.Header().Set("Retry-After", "7")
		s.write(w, fail(http.StatusTooManyRequests, "FREQUENCY_LIMITED"), "")
		return
	case Redirect:
		http.Redirect(w, r, s.URL+"/elsewhere", http.StatusTemporaryRedirect)
		return
	}
	a := s.process(r, body)
	if a.lose || fault == Lose {
		drop(w)
		return
	}
	if fault == Hang {
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
		return
	}
	if raw, ok := a.body.([]byte); ok { // bills are not signed
		w.WriteHeader(a.status)
		if fault == Truncate {
			raw = raw[:len(raw)/2]
		}
		_, _ = w.Write(raw)
		return
	}
	s.write(w, a, fault)
}

// drop breaks the connection.
func drop(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			_ = c.Close()
		}
	}
}

func (s *Server) write(w http.ResponseWriter, a answer, fault Fault) {
	var body []byte
	if a.body != nil {
		body, _ = json.Marshal(a.body)
	}
	switch fault {
	case Answer500:
		a.status, body = http.StatusInternalServerError, []byte(`{"code":"SYSTEM_ERROR","message":"系统错误"}`)
	case Huge:
		body = append(body, bytes.Repeat([]byte(" "), 2<<20)...)
	case Garbage:
		body = []byte(`{"prepay_id":12`)
	case OtherOrder:
		body = regexp.MustCompile(`"out_trade_no":"[^"]+"`).ReplaceAll(body, []byte(`"out_trade_no":"somebody-elses"`))
	case OtherRefund:
		body = regexp.MustCompile(`"out_refund_no":"[^"]+"`).ReplaceAll(body, []byte(`"out_refund_no":"somebody-elses"`))
	case OtherMerchant:
		body = bytes.ReplaceAll(body, []byte(MerchantID), []byte("1900000999"))
	}
	headers := s.Sign(s.now(), body)
	switch fault {
	case Unsigned:
		headers = nil
	case BadSignature:
		headers["Wechatpay-Signature"] = s.Sign(s.now(), append(body, ' '))["Wechatpay-Signature"]
	case Probe:
		headers["Wechatpay-Signature"] = []string{"WECHATPAY/SIGNTEST/" + headers["Wechatpay-Signature"][0]}
	case OtherSerial:
		headers["Wechatpay-Serial"] = []string{"5157F09EFDC096DE15EBE81A47057A7232F1B8E1"}
	case OldSig:
		headers = s.Sign(s.now().Add(-time.Hour), body)
	}
	for name, v := range headers {
		w.Header()[name] = v
	}
	w.Header().Set("Content-Type", "application/json")
	if fault == Truncate {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(body[:len(body)/2])
		return
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}

// Sign returns the headers of what the provider says at a time.
func (s *Server) Sign(at time.Time, body []byte) map[string][]string {
	stamp, nonce := strconv.FormatInt(at.Unix(), 10), text(32)
	sum := sha256.Sum256([]byte(stamp + "\n" + nonce + "\n" + string(body) + "\n"))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.keys.Platform, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return map[string][]string{
		"Wechatpay-Timestamp": {stamp}, "Wechatpay-Nonce": {nonce}, "Wechatpay-Serial": {s.keys.Serial},
		"Wechatpay-Signature": {base64.StdEncoding.EncodeToString(sig)}, "Wechatpay-Signature-Type": {"WECHATPAY2-SHA256-RSA2048"},
	}
}

func text(n int) string {
	b := make([]byte, n/2)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

var authorization = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="(\d+)",nonce_str="([0-9a-zA-Z]{16,32})",timestamp="(\d+)",` +
	`serial_no="([0-9A-F]+)",signature="([0-9A-Za-z+/=]+)"$`)

// genuine checks who signed a request.
func (s *Server) genuine(r *http.Request, body []byte) string {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return "no authorization"
	}
	if m[1] != MerchantID || m[4] != MerchantSerial {
		return "another merchant or serial"
	}
	at, _ := strconv.ParseInt(m[3], 10, 64)
	if d := s.now().Sub(time.Unix(at, 0)); d > 5*time.Minute || d < -5*time.Minute {
		return "time"
	}
	sum := sha256.Sum256([]byte(r.Method + "\n" + r.URL.RequestURI() + "\n" + m[3] + "\n" + m[2] + "\n" + string(body) + "\n"))
	sig, err := base64.StdEncoding.DecodeString(m[5])
	if err != nil || rsa.VerifyPKCS1v15(&s.keys.Merchant.PublicKey, crypto.SHA256, sum[:], sig) != nil {
		return "signature"
	}
	if r.Header.Get("Accept") != "application/json" || r.Header.Get("User-Agent") == "" {
		return "headers"
	}
	return ""
}

func (s *Server) process(r *http.Request, body []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if why := s.genuine(r, body); why != "" {
		s.wrong = append(s.wrong, why)
		return fail(http.StatusUnauthorized, "SIGN_ERROR")
	}
	path := r.URL.Path
	const byNumber = "/v3/pay/transactions/out-trade-no/"
	const refunds = "/v3/refund/domestic/refunds"
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/close") && strings.HasPrefix(path, byNumber):
		return s.closeOrder(strings.TrimSuffix(strings.TrimPrefix(path, byNumber), "/close"))
	case r.Method == http.MethodGet && strings.HasPrefix(path, byNumber):
		if r.URL.Query().Get("mchid") != MerchantID {
			return fail(http.StatusBadRequest, "PARAM_ERROR")
		}
		o, ok := s.orders[strings.TrimPrefix(path, byNumber)]
		if !ok {
			return fail(http.StatusNotFound, "ORDER_NOT_EXIST")
		}
		return answer{status: http.StatusOK, body: o.wire()}
	case r.Method == http.MethodPost && strings.HasPrefix(path, "/v3/pay/transactions/"):
		return s.place(strings.TrimPrefix(path, "/v3/pay/transactions/"), body)
	case r.Method == http.MethodPost && path == refunds:
		return s.refund(body)
	case r.Method == http.MethodGet && strings.HasPrefix(path, refunds+"/"):
		f, ok := s.refunds[strings.TrimPrefix(path, refunds+"/")]
		if !ok {
			return fail(http.StatusNotFound, "RESOURCE_NOT_EXISTS")
		}
		return answer{status: http.StatusOK, body: f.wire("status", true)}
	case r.Method == http.MethodGet && path == "/v3/bill/tradebill":
		return s.announce(r)
	case r.Method == http.MethodGet && path == "/v3/billdownload/file":
		return answer{status: http.StatusOK, body: s.bill}
	}
	s.wrong = append(s.wrong, r.Method+" "+path)
	return fail(http.StatusNotFound, "RESOURCE_NOT_EXISTS")
}

var (
	orderNumbers  = regexp.MustCompile(`^[0-9A-Za-z_*|-]{6,32}$`)
	refundNumbers = regexp.MustCompile(`^[0-9A-Za-z_*|@-]{1,64}$`)
	openIDs       = regexp.MustCompile(`^[0-9A-Za-z_-]{1,128}$`)
	prices        = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)
)

func (s *Server) place(kind string, body []byte) answer {
	var q struct {
		AppID       string `json:"appid"`
		MerchantID  string `json:"mchid"`
		Description string `json:"description"`
		Number      string `json:"out_trade_no"`
		Expires     string `json:"time_expire"`
		Attach      string `json:"attach"`
		NotifyURL   string `json:"notify_url"`
		Amount      struct {
			Total    json.Number `json:"total"`
			Currency string      `json:"currency"`
		} `json:"amount"`
		Payer *struct {
			OpenID string `json:"openid"`
		} `json:"payer"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	app := map[string]string{"jsapi": AppID, "native": AppID, "app": MobileAppID}[kind]
	end, badEnd := time.Time{}, error(nil)
	if err := d.Decode(&q); err == nil {
		end, badEnd = time.Parse(time.RFC3339, q.Expires)
	}
	switch {
	case app == "" || q.MerchantID != MerchantID || !orderNumbers.MatchString(q.Number) || q.Description == "" || len(q.Description) > 127 ||
		len(q.Attach) > 128 || !strings.HasPrefix(q.NotifyURL, "https://") || q.Amount.Currency != "CNY" || badEnd != nil ||
		!end.After(s.now()) || !prices.MatchString(q.Amount.Total.String()) || (kind == "jsapi") != (q.Payer != nil):
		s.wrong = append(s.wrong, "order "+string(body))
		return fail(http.StatusBadRequest, "PARAM_ERROR")
	case q.AppID != app:
		return fail(http.StatusBadRequest, "APPID_MCHID_NOT_MATCH")
	}
	openID, behaviour := "", Waits
	if q.Payer != nil {
		if openID = q.Payer.OpenID; !openIDs.MatchString(openID) {
			return fail(http.StatusBadRequest, "PARAM_ERROR")
		}
		behaviour, _, _ = strings.Cut(openID, "-")
	}
	total, _ := q.Amount.Total.Int64()
	o, placed := s.orders[q.Number]
	switch {
	case !placed:
	case o.Total != total || o.Attach != q.Attach || o.OpenID != openID || !strings.EqualFold(o.Type, kind) || o.Expires != q.Expires:
		return fail(http.StatusForbidden, "OUT_TRADE_NO_USED")
	case o.State == "CLOSED":
		return fail(http.StatusBadRequest, "ORDER_CLOSED")
	case o.State != "NOTPAY":
		return fail(http.StatusBadRequest, "ORDERPAID")
	}
	lose := false
	switch behaviour {
	case DeclinedHard:
		return fail(http.StatusForbidden, "ACCOUNT_ERROR")
	case DeclinedSoft:
		return fail(http.StatusForbidden, "RULE_LIMIT")
	case Invalid:
		return fail(http.StatusBadRequest, "OPENID_MISMATCH")
	case RateLimited:
		return fail(http.StatusTooManyRequests, "FREQUENCY_LIMITED")
	case LosesRequest:
		if !s.lost[q.Number] {
			s.lost[q.Number] = true
			return answer{lose: true}
		}
	case LosesAnswer:
		lose = true
	}
	if !placed {
		o = &Order{Number: q.Number, AppID: q.AppID, OpenID: openID, Attach: q.Attach, Type: strings.ToUpper(kind), State: "NOTPAY",
			Currency: q.Amount.Currency, Total: total, At: s.now(), NotifyURL: q.NotifyURL, Description: q.Description, Expires: q.Expires}
		s.orders[q.Number] = o
	}
	switch behaviour {
	case Pays, LosesAnswer, LosesRequest, RefundLosesAnswer, RefundPends:
		s.pay(o)
	}
	if kind == "native" {
		return answer{status: http.StatusOK, body: map[string]string{"code_url": "weixin://wxpay/bizpayurl?pr=" + q.Number[:10]}, lose: lose}
	}
	return answer{status: http.StatusOK, body: map[string]string{"prepay_id": "wx" + q.Number}, lose: lose}
}

// wire is an order as a query or notification tells it.
func (o *Order) wire() map[string]any {
	w := map[string]any{
		"appid": o.AppID, "mchid": MerchantID, "out_trade_no": o.Number, "trade_state": o.State, "trade_state_desc": "说明",
		"amount": map[string]any{"total": o.Total, "currency": o.Currency, "payer_currency": o.Currency},
	}
	if o.State == "SUCCESS" || o.State == "REFUND" {
		w["attach"], w["transaction_id"], w["trade_type"], w["bank_type"] = o.Attach, o.Transaction, o.Type, "CMC"
		w["success_time"] = o.At.Format(time.RFC3339)
		w["amount"].(map[string]any)["payer_total"] = o.Total
		if o.OpenID != "" {
			w["payer"] = map[string]string{"openid": o.OpenID}
		}
	}
	return w
}

func (s *Server) closeOrder(number string) answer {
	o, ok := s.orders[number]
	switch {
	case !ok:
		return fail(http.StatusNotFound, "ORDER_NOT_EXIST")
	case o.State == "CLOSED":
		return fail(http.StatusBadRequest, "ORDER_CLOSED")
	case o.State != "NOTPAY":
		return fail(http.StatusBadRequest, "ORDERPAID")
	}
	o.State = "CLOSED"
	return answer{status: http.StatusNoContent}
}

func (s *Server) refund(body []byte) answer {
	var q struct {
		Order     string `json:"out_trade_no"`
		Number    string `json:"out_refund_no"`
		NotifyURL string `json:"notify_url"`
		Amount    struct {
			Refund   json.Number `json:"refund"`
			Total    json.Number `json:"total"`
			Currency string      `json:"currency"`
		} `json:"amount"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if d.Decode(&q) != nil || !refundNumbers.MatchString(q.Number) || q.Amount.Currency != "CNY" ||
		!prices.MatchString(q.Amount.Refund.String()) || !prices.MatchString(q.Amount.Total.String()) {
		s.wrong = append(s.wrong, "refund "+string(body))
		return fail(http.StatusBadRequest, "PARAM_ERROR")
	}
	amount, _ := q.Amount.Refund.Int64()
	total, _ := q.Amount.Total.Int64()
	if f, ok := s.refunds[q.Number]; ok {
		if f.Amount != amount || f.Total != total || f.Order != q.Order {
			return fail(http.StatusBadRequest, "INVALID_REQUEST")
		}
		return answer{status: http.StatusOK, body: f.wire("status", true)}
	}
	o, ok := s.orders[q.Order]
	switch {
	case !ok:
		return fail(http.StatusNotFound, "RESOURCE_NOT_EXISTS")
	case o.State != "SUCCESS" && o.State != "REFUND":
		return fail(http.StatusBadRequest, "INVALID_REQUEST")
	case total != o.Total || o.Refunded+amount > o.Total:
		return fail(http.StatusBadRequest, "INVALID_REQUEST")
	}
	behaviour, _, _ := strings.Cut(o.OpenID, "-")
	f := &Refund{Number: q.Number, Order: q.Order, Amount: amount, Total: total, Status: "SUCCESS", At: s.now(), NotifyURL: q.NotifyURL,
		ID: fmt.Sprintf("50000000%020d", len(s.requests))}
	if behaviour == RefundPends {
		f.Status = "PROCESSING"
	}
	s.refunds[q.Number] = f
	o.State, o.Refunded = "REFUND", o.Refunded+amount
	return answer{status: http.StatusOK, body: f.wire("status", true), lose: behaviour == RefundLosesAnswer}
}

// wire is a refund as answers and notifications tell it.
func (r *Refund) wire(status string, currency bool) map[string]any {
	amount := map[string]any{"refund": r.Amount, "total": r.Total, "payer_refund": r.Amount, "payer_total": r.Total}
	w := map[string]any{
		"refund_id": r.ID, "out_refund_no": r.Number, "out_trade_no": r.Order, status: r.Status, "user_received_account": "支付用户零钱", "amount": amount,
	}
	if currency {
		amount["currency"] = "CNY"
	} else {
		w["mchid"] = MerchantID
	}
	return w
}

func (s *Server) announce(r *http.Request) answer {
	if _, err := time.Parse(time.DateOnly, r.URL.Query().Get("bill_date")); err != nil || r.URL.Query().Get("bill_type") != "ALL" {
		return fail(http.StatusBadRequest, "PARAM_ERROR")
	}
	if s.bill == nil {
		return fail(http.StatusBadRequest, "NO_STATEMENT_EXIST")
	}
	sum := s.billSum
	if sum == "" {
		made := sha1.Sum(s.bill)
		sum = hex.EncodeToString(made[:])
	}
	from := s.billFrom
	if from == "" {
		from = s.URL
	}
	return answer{status: http.StatusOK, body: map[string]string{
		"hash_type": "SHA1", "hash_value": sum, "download_url": from + "/v3/billdownload/file?token=6XIv5TUPto7pByrTQKhd6kwvyKLG2uY2wMMR8cNXqaA_Cv_isgaUtBzp4QtiozLO",
	}}
}
