package alipaytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config is what a [Double] is built from.
type Config struct {
	Keys     *Keys
	AppID    string           // "" means DefaultAppID
	SellerID string           // "" means DefaultSellerID
	Now      func() time.Time // nil for the system's clock
	// Serial is the serial number of Alipay's certificate, for an account in certificate mode.
	Serial string
}

// The app and the seller of the double.
const (
	DefaultAppID    = "2021000000000001"
	DefaultSellerID = "2088000000000001"
)

// Fault is what happens to a call instead of, or besides, its being answered.
type Fault struct {
	Times       int  // how often; 0 for always
	LoseRequest bool // the connection breaks before anything is processed
	LoseAnswer  bool // it is processed, and the connection breaks
	Cut         bool // it is processed, and the answer breaks off in the middle
	Hang        bool // it is processed, and nobody answers
	Status      int  // it is processed, and this status is answered without a signature
	RetryAfter  string
	Location    string // with Status: where to go instead
	Code        string // it is not processed, and this is answered
	SubCode     string
	Unreachable bool // for Double.Client: nobody listens
	// Forge changes the answer after it was signed.
	Forge func(body []byte) []byte
}

// Trade is what the double knows about a number.
type Trade struct {
	Number, Method   string
	Fen              int64
	State            string // "" before the shopper has come
	PaidAt           time.Time
	Expires          time.Time
	Refunds          map[string]int64 // by out_request_no
	Refunded         int64
	Paid, RefundedOf int // how often money moved
}

// Double is an Alipay for tests.
type Double struct {
	c      Config
	server *httptest.Server
	stop   chan struct{}

	mu       sync.Mutex
	trades   map[string]*Trade
	faults   map[[2]string][]Fault
	hidden   map[string]int // how many queries do not show a refund yet
	calls    map[string]int
	requests []url.Values
	bills    map[string][]byte
	billURL  string
}

// Open starts a double. Close it.
func Open(c Config) *Double {
	if c.AppID == "" {
		c.AppID = DefaultAppID
	}
	if c.SellerID == "" {
		c.SellerID = DefaultSellerID
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	d := &Double{c: c, stop: make(chan struct{}), trades: make(map[string]*Trade), faults: make(map[[2]string][]Fault),
		hidden: make(map[string]int), calls: make(map[string]int), bills: make(map[string][]byte)}
	d.server = httptest.NewServer(http.HandlerFunc(d.serve))
	return d
}

// Close stops the double.
func (d *Double) Close() {
	close(d.stop)
	d.server.CloseClientConnections()
	d.server.Close()
}

// URL is the address of gateway.do.
func (d *Double) URL() string { return d.server.URL + "/gateway.do" }

// Host is the host that bills are fetched from.
func (d *Double) Host() string { return strings.TrimPrefix(d.server.URL, "http://") }

// Client is an HTTP client that cannot reach the double for trades with the fault Unreachable.
func (d *Double) Client() *http.Client { return &http.Client{Transport: transport{d}} }

type transport struct{ d *Double }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.GetBody != nil {
		b, _ := r.GetBody()
		text, _ := io.ReadAll(b)
		values, _ := url.ParseQuery(string(text))
		number := bizOf(values)["out_trade_no"]
		if f, ok := t.d.peek(number, values.Get("method")); ok && f.Unreachable {
			t.d.strike(number, values.Get("method"))
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		}
	}
	return t.d.server.Client().Transport.RoundTrip(r)
}

// Script adds a fault for the calls of a method about a trade.
func (d *Double) Script(number, method string, f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := [2]string{number, method}
	d.faults[k] = append(d.faults[k], f)
}

// HideRefunds makes that many queries for refunds of a trade find nothing.
func (d *Double) HideRefunds(number string, queries int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hidden[number] = queries
}

// SetBill stores a bill.
func (d *Double) SetBill(kind, date string, file []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bills[kind+" "+date] = file
}

// OfferBillAt makes the double name another address for bills.
func (d *Double) OfferBillAt(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.billURL = address
}

func (d *Double) peek(number, method string) (Fault, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if list := d.faults[[2]string{number, method}]; len(list) > 0 {
		return list[0], true
	}
	return Fault{}, false
}

func (d *Double) strike(number, method string) (Fault, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := [2]string{number, method}
	list := d.faults[k]
	if len(list) == 0 {
		return Fault{}, false
	}
	f := list[0]
	switch f.Times {
	case 0:
	case 1:
		d.faults[k] = list[1:]
	default:
		list[0].Times--
	}
	return f, true
}

// Calls returns how many calls of a method came in; of all methods and bills for "".
func (d *Double) Calls(method string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if method != "" {
		return d.calls[method]
	}
	n := 0
	for _, c := range d.calls {
		n += c
	}
	return n
}

// Requests returns the parameters of all calls so far.
func (d *Double) Requests() []url.Values {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]url.Values(nil), d.requests...)
}

// Trades returns copies of all trades.
func (d *Double) Trades() []Trade {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []Trade
	for _, t := range d.trades {
		list = append(list, *t)
	}
	return list
}

// Trade returns a copy of a trade; State is "" for one that nobody has come for.
func (d *Double) Trade(number string) Trade {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.trades[number]; t != nil {
		d.age(t)
		return *t
	}
	return Trade{Number: number}
}

// The states of a trade.
const (
	Waiting  = "WAIT_BUYER_PAY"
	Closed   = "TRADE_CLOSED"
	Paid     = "TRADE_SUCCESS"
	Finished = "TRADE_FINISHED"
)

func zone() *time.Location { return time.FixedZone("", 8*3600) }

const layout = "2006-01-02 15:04:05"

// age closes a trade whose time is up.
func (d *Double) age(t *Trade) {
	if t.State == Waiting && d.c.Now().After(t.Expires) {
		t.State = Closed
	}
}

const qrPrefix = "https://qr.alipay.com/"

// Follow is a shopper who opens a link, hands an order string to the app or scans a code. It
// returns the trade's number; the trade waits to be paid.
func (d *Double) Follow(action string) (string, error) {
	if number, ok := strings.CutPrefix(action, qrPrefix); ok {
		d.mu.Lock()
		defer d.mu.Unlock()
		t := d.trades[number]
		if t == nil {
			return "", errors.New("no such code")
		}
		return number, d.open(t)
	}
	query := strings.TrimPrefix(action, d.URL()+"?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", err
	}
	method := values.Get("method")
	if method != "alipay.trade.page.pay" && method != "alipay.trade.app.pay" {
		return "", fmt.Errorf("not a link: %s", method)
	}
	if !d.c.Keys.signedByApp(values) || values.Get("app_id") != d.c.AppID {
		return "", errors.New("the link is not signed")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	number, sub := d.create(method, bizOf(values))
	if sub != "" {
		return "", errors.New(sub)
	}
	return number, d.open(d.trades[number])
}

func (d *Double) open(t *Trade) error {
	d.age(t)
	if t.State == "" && d.c.Now().After(t.Expires) {
		return errors.New("the link is too old")
	}
	if t.State == "" {
		t.State = Waiting
	}
	return nil
}

// Pay is a shopper who pays a trade that waits, or scans its code and pays. It is false if
// the trade cannot be paid (any more); paying twice moves money once.
func (d *Double) Pay(number string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.trades[number]
	if t == nil || d.open(t) != nil {
		return false
	}
	switch t.State {
	case Waiting:
		t.State, t.PaidAt = Paid, d.c.Now()
		t.Paid++
		return true
	case Paid:
		return true
	}
	return false
}

// Give ends a trade that waits without its being paid.
func (d *Double) Give(number string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.trades[number]
	if t == nil || t.State != Waiting {
		return false
	}
	t.State = Closed
	return true
}

var (
	numbers = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	amounts = regexp.MustCompile(`^[0-9]{1,9}\.[0-9]{2}$`)
)

// create makes a trade that nobody has come for, or finds the one with the same content.
func (d *Double) create(method string, biz map[string]string) (number, sub string) {
	number = biz["out_trade_no"]
	fen, ok := fenOf(biz["total_amount"])
	expires, err := time.ParseInLocation(layout, biz["time_expire"], zone())
	if !ok || fen < 1 || err != nil || !numbers.MatchString(number) || biz["subject"] == "" || biz["product_code"] == "" {
		return "", "ACQ.INVALID_PARAMETER"
	}
	t := d.trades[number]
	if t == nil {
		t = &Trade{Number: number, Method: method, Fen: fen, Expires: expires, Refunds: make(map[string]int64)}
		d.trades[number] = t
	}
	d.age(t)
	switch {
	case t.PaidAt != time.Time{}:
		return "", "ACQ.TRADE_HAS_SUCCESS"
	case t.State == Closed:
		return "", "ACQ.TRADE_HAS_CLOSE"
	case t.Fen != fen:
		return "", "ACQ.CONTEXT_INCONSISTENT"
	}
	return number, ""
}

func fenOf(text string) (int64, bool) {
	if !amounts.MatchString(text) {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(text, ".", ""), 10, 64)
	return n, err == nil
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

func bizOf(values url.Values) map[string]string {
	biz := make(map[string]string)
	d := json.NewDecoder(strings.NewReader(values.Get("biz_content")))
	_ = d.Decode(&biz)
	return biz
}

func (d *Double) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/bill" {
		d.count("bill", nil)
		d.mu.Lock()
		file := d.bills[r.URL.Query().Get("file")]
		d.mu.Unlock()
		_, _ = w.Write(file)
		return
	}
	text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	values, err := url.ParseQuery(string(text))
	method := values.Get("method")
	d.count(method, values)
	biz := bizOf(values)
	number := biz["out_trade_no"]
	var answer map[string]any
	fault, struck := d.strike(number, method)
	_, terr := time.ParseInLocation(layout, values.Get("timestamp"), zone())
	switch {
	case struck && fault.LoseRequest:
		panic(http.ErrAbortHandler)
	case r.URL.Path != "/gateway.do" || r.Method != http.MethodPost || err != nil:
		w.WriteHeader(http.StatusNotFound)
		return
	case values.Get("app_id") != d.c.AppID:
		answer = refuse("40002", "isv.invalid-app-id")
	case !d.c.Keys.signedByApp(values) || values.Get("sign_type") != "RSA2" || values.Get("charset") != "utf-8" ||
		values.Get("version") != "1.0" || terr != nil:
		answer = refuse("40002", "isv.invalid-signature")
	case d.c.Serial != "" && (values.Get("app_cert_sn") == "" || values.Get("alipay_root_cert_sn") == ""):
		answer = refuse("40002", "isv.app-cert-sn-error")
	case struck && fault.Code != "":
		answer = refuse(fault.Code, fault.SubCode)
	default:
		answer = d.answer(method, biz)
	}
	switch {
	case struck && fault.LoseAnswer:
		panic(http.ErrAbortHandler)
	case struck && fault.Hang:
		select {
		case <-r.Context().Done():
		case <-d.stop:
		}
		panic(http.ErrAbortHandler)
	case struck && fault.Status != 0:
		if fault.RetryAfter != "" {
			w.Header().Set("Retry-After", fault.RetryAfter)
		}
		if fault.Location != "" {
			w.Header().Set("Location", fault.Location)
		}
		http.Error(w, "{}", fault.Status)
		return
	}
	body := d.envelope(method, answer)
	if struck && fault.Forge != nil {
		body = fault.Forge(body)
	}
	w.Header().Set("Content-Type", "text/html;charset=utf-8") // as Alipay has it
	if struck && fault.Cut {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}

func (d *Double) count(method string, values url.Values) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[method]++
	d.requests = append(d.requests, values)
}

func refuse(code, sub string) map[string]any {
	return map[string]any{"code": code, "msg": "refused", "sub_code": sub, "sub_msg": "\u62d2\u7edd"}
}

func done(more map[string]any) map[string]any {
	more["code"], more["msg"] = "10000", "Success"
	return more
}

// envelope signs an answer.
func (d *Double) envelope(method string, answer map[string]any) []byte {
	node, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	node = bytes.ReplaceAll(node, []byte("/"), []byte(`\/`)) // as Alipay's encoder does
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"%s_response":%s,`, strings.ReplaceAll(method, ".", "_"), node)
	if d.c.Serial != "" {
		fmt.Fprintf(&b, `"alipay_cert_sn":%q,`, d.c.Serial)
	}
	fmt.Fprintf(&b, `"sign":%q}`, d.c.Keys.Sign(node))
	return b.Bytes()
}

func (d *Double) answer(method string, biz map[string]string) map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	if method == "alipay.data.dataservice.bill.downloadurl.query" {
		name := biz["bill_type"] + " " + biz["bill_date"]
		if d.billURL != "" {
			return done(map[string]any{"bill_download_url": d.billURL})
		}
		if d.bills[name] == nil {
			return refuse("40004", "isp.bill_not_exist")
		}
		return done(map[string]any{"bill_download_url": d.server.URL + "/bill?token=secret&file=" + url.QueryEscape(name)})
	}
	number := biz["out_trade_no"]
	if method == "alipay.trade.precreate" {
		number, sub := d.create(method, biz)
		if sub != "" {
			return refuse("40004", sub)
		}
		return done(map[string]any{"out_trade_no": number, "qr_code": qrPrefix + number})
	}
	t := d.trades[number]
	if t == nil || t.State == "" {
		return refuse("40004", "ACQ.TRADE_NOT_EXIST")
	}
	d.age(t)
	switch method {
	case "alipay.trade.query":
		a := map[string]any{"out_trade_no": number, "trade_no": tradeNo(number), "trade_status": t.State, "total_amount": yuan(t.Fen),
			"buyer_logon_id": "abc***@example.com", "point_amount": "0.00", "invoice_amount": "0.00"}
		if !t.PaidAt.IsZero() {
			a["send_pay_date"], a["receipt_amount"] = t.PaidAt.In(zone()).Format(layout), yuan(t.Fen)
		}
		return done(a)
	case "alipay.trade.close":
		if t.State != Waiting {
			return refuse("40004", "ACQ.REASON_TRADE_STATUS_INVALID")
		}
		t.State = Closed
		return done(map[string]any{"out_trade_no": number, "trade_no": tradeNo(number)})
	case "alipay.trade.refund":
		return d.refund(t, biz)
	case "alipay.trade.fastpay.refund.query":
		fen, ok := t.Refunds[biz["out_request_no"]]
		if d.hidden[number] > 0 {
			d.hidden[number]--
			ok = false
		}
		if !ok {
			return done(map[string]any{})
		}
		return done(map[string]any{"out_trade_no": number, "trade_no": tradeNo(number), "out_request_no": biz["out_request_no"],
			"refund_status": "REFUND_SUCCESS", "refund_amount": yuan(fen), "total_amount": yuan(t.Fen)})
	}
	return refuse("40001", "isv.missing-method")
}

func (d *Double) refund(t *Trade, biz map[string]string) map[string]any {
	fen, ok := fenOf(biz["refund_amount"])
	request := biz["out_request_no"]
	before, again := t.Refunds[request]
	switch {
	case !ok || fen < 1 || !numbers.MatchString(request):
		return refuse("40004", "ACQ.INVALID_PARAMETER")
	case again && before != fen:
		return refuse("40004", "ACQ.DISCORDANT_REPEAT_REQUEST")
	case !again && t.PaidAt.IsZero():
		return refuse("40004", "ACQ.TRADE_STATUS_ERROR")
	case !again && fen > t.Fen-t.Refunded:
		return refuse("40004", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
	}
	change := "N"
	if !again {
		t.Refunds[request] = fen
		t.Refunded += fen
		t.RefundedOf++
		change = "Y"
	}
	if t.Refunded == t.Fen {
		t.State = Closed
	}
	return done(map[string]any{"out_trade_no": t.Number, "trade_no": tradeNo(t.Number), "fund_change": change,
		"refund_fee": yuan(t.Refunded), "buyer_logon_id": "abc***@example.com"}) // the sum of all refunds, as Alipay has it
}

func tradeNo(number string) string {
	sum := sha256.Sum256([]byte(number))
	return "2026112122" + hex.EncodeToString(sum[:9])
}

// Fields returns what a notification about a trade says, for a trade that somebody has come
// for. The same state gives the same notify_id.
func (d *Double) Fields(number string, at time.Time) (url.Values, error) {
	t := d.Trade(number)
	if t.State == "" {
		return nil, errors.New("no such trade")
	}
	id := sha256.Sum256([]byte(number + t.State + yuan(t.Refunded)))
	f := url.Values{}
	for name, v := range map[string]string{
		"notify_time": at.In(zone()).Format(layout), "notify_type": "trade_status_sync", "notify_id": hex.EncodeToString(id[:17]),
		"app_id": d.c.AppID, "auth_app_id": d.c.AppID, "charset": "utf-8", "version": "1.0", "seller_id": d.c.SellerID,
		"out_trade_no": number, "trade_no": tradeNo(number), "trade_status": t.State, "total_amount": yuan(t.Fen),
		"buyer_id": "2088000000000099", "buyer_logon_id": "abc***@example.com", "subject": "Order",
		"gmt_create": at.In(zone()).Format(layout),
	} {
		f.Set(name, v)
	}
	if !t.PaidAt.IsZero() {
		f.Set("gmt_payment", t.PaidAt.In(zone()).Format(layout))
		f.Set("receipt_amount", yuan(t.Fen))
		f.Set("buyer_pay_amount", yuan(t.Fen))
		f.Set("fund_bill_list", `[{"amount":"`+yuan(t.Fen)+`","fundChannel":"ALIPAYACCOUNT"}]`)
	}
	if t.Refunded > 0 {
		f.Set("refund_fee", yuan(t.Refunded))
		f.Set("gmt_refund", at.In(zone()).Format(layout)+".123")
	}
	if d.c.Serial != "" {
		f.Set("alipay_cert_sn", d.c.Serial)
	}
	return f, nil
}

// Headers are those of a notification.
func Headers() map[string][]string {
	return map[string][]string{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
}
