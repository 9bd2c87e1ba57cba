package alipay_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay/alipaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// paid returns a gateway, and a charge of 0.01 that was paid.
func paid(t testing.TB, c alipaytest.Config, a alipay.Account, change ...func(*alipay.Config)) (*alipay.Gateway, *alipaytest.Double, payment.AuthorizeRequest) {
	t.Helper()
	d := open(t, c)
	g := gateway(t, d, a, change...)
	r := charge(t, alipay.QR, 1)
	res, err := g.Authorize(t.Context(), r)
	if err != nil || !d.Pay(res.Provider) {
		t.Fatal(res, err)
	}
	return g, d, r
}

// fields returns what Alipay says about a charge.
func fields(t testing.TB, d *alipaytest.Double, r payment.AuthorizeRequest, at time.Time) url.Values {
	t.Helper()
	f, err := d.Fields(alipay.TradeNumber(r.Tenant, r.Key), at)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func parse(g *alipay.Gateway, body []byte) (payment.Notice, error) {
	return g.ParseWebhook("shop", time.Now(), alipaytest.Headers(), body)
}

func wantRefusal(t testing.TB, g *alipay.Gateway, what string, body []byte, target *hyperlocal.Error) {
	t.Helper()
	n, err := parse(g, body)
	if err == nil || n != (payment.Notice{}) || target != nil && hyperlocal.ReasonOf(err) != target.Reason {
		t.Errorf("%s: %+v, %v; want %v", what, n, err, target)
	}
}

func TestNotice(t *testing.T) {
	t.Parallel()
	g, d, r := paid(t, alipaytest.Config{}, account(t, accountConfig()))
	now := time.Now()
	number := alipay.TradeNumber("shop", r.Key)
	f := fields(t, d, r, now)
	n, err := parse(g, keys().SignForm(f))
	want := payment.Notice{Event: f.Get("notify_id"), Key: r.Key, Verb: hyperlocal.VerbCharge, Outcome: hyperlocal.OutcomeSucceeded,
		Amount: fen(t, 1), Provider: number}
	if err != nil || n != want {
		t.Fatalf("%+v, %v; want %+v", n, err, want)
	}
	if !g.ConfirmsWebhooks() {
		t.Error("the notification is taken for more than a hint")
	}
	state := func(s string, without ...string) payment.Notice {
		t.Helper()
		f := fields(t, d, r, now)
		f.Set("trade_status", s)
		for _, name := range without {
			f.Del(name)
		}
		n, err := parse(g, keys().SignForm(f))
		if err != nil {
			t.Errorf("%s: %v", s, err)
		}
		return n
	}
	for s, want := range map[string]hyperlocal.PaymentOutcome{"TRADE_FINISHED": hyperlocal.OutcomeSucceeded,
		"WAIT_BUYER_PAY": hyperlocal.OutcomeAction, "TRADE_CLOSED": hyperlocal.OutcomeSucceeded} {
		if n := state(s); n.Outcome != want {
			t.Errorf("%s: %s, want %s", s, n.Outcome, want)
		}
	}
	if n := state("TRADE_CLOSED", "gmt_payment"); n.Outcome != hyperlocal.OutcomeDeclined || n.Code != alipay.CodeClosed {
		t.Errorf("closed and never paid: %+v", n)
	}
	for name, change := range map[string]func(url.Values){
		"about a refund":           func(f url.Values) { f.Set("gmt_refund", "2026-11-21 10:00:00.123") },
		"about another's trade":    func(f url.Values) { f.Set("out_trade_no", "20150320010101001") },
		"of another kind":          func(f url.Values) { f.Set("notify_type", "open_app_auth_notify") },
		"about a number with hash": func(f url.Values) { f.Set("out_trade_no", alipay.TradeNumber("shop", "any key")) },
	} {
		f := fields(t, d, r, now)
		change(f)
		if n, err := parse(g, keys().SignForm(f)); err != nil || n.Key != "" || n.Event == "" || n.Outcome != "" {
			t.Errorf("%s: %+v, %v; want an event about nothing", name, n, err)
		}
	}
	for name, change := range map[string]func(url.Values){
		"no event":            func(f url.Values) { f.Del("notify_id") },
		"an odd event":        func(f url.Values) { f.Set("notify_id", "a b") },
		"a long event":        func(f url.Values) { f.Set("notify_id", strings.Repeat("a", 129)) },
		"no time":             func(f url.Values) { f.Del("notify_time") },
		"an odd time":         func(f url.Values) { f.Set("notify_time", "1700000000") },
		"an odd amount":       func(f url.Values) { f.Set("total_amount", "1e9") },
		"no amount":           func(f url.Values) { f.Del("total_amount") },
		"a negative amount":   func(f url.Values) { f.Set("total_amount", "-0.01") },
		"a state of no trade": func(f url.Values) { f.Set("trade_status", "TRADE_GREAT") },
		"dollars":             func(f url.Values) { f.Set("trans_currency", "USD") },
		"another charset":     func(f url.Values) { f.Set("charset", "GBK") },
		"a new field":         func(f url.Values) { f.Set("new_field", "1") },
	} {
		f := fields(t, d, r, now)
		change(f)
		wantRefusal(t, g, name, keys().SignForm(f), payment.ErrWebhookMalformed)
	}
	g2 := gateway(t, d, account(t, accountConfig()), func(c *alipay.Config) { c.NotifyFields = []string{"new_field"} })
	f.Set("new_field", "1")
	if _, err := parse(g2, keys().SignForm(f)); err != nil {
		t.Errorf("a field that the host knows: %v", err)
	}
}

// F1 of promises.md: the notification of 0.01 for one order, cut into one of 9999.00 for
// another, with the signature that Alipay gave.
func TestRecutNotification(t *testing.T) {
	t.Parallel()
	g, d, r := paid(t, alipaytest.Config{}, account(t, accountConfig()))
	victim := alipay.TradeNumber("shop", charge(t, alipay.QR, 999_900).Key)
	now := time.Now()

	// The attacker has text of his own in the signed field body, which sorts before everything
	// that he wants to replace, and parks the genuine rest in a field that sorts last.
	attack := func(parking string) (genuine, recut []byte) {
		f := fields(t, d, r, now)
		claims := url.Values{}
		for _, name := range []string{"charset", "notify_id", "notify_time", "notify_type", "seller_id", "trade_no", "version"} {
			claims.Set(name, f.Get(name))
		}
		claims.Set("notify_id", "forged0001")
		claims.Set("out_trade_no", victim)
		claims.Set("total_amount", "9999.00")
		claims.Set("trade_status", "TRADE_SUCCESS")
		text := "tea"
		for _, name := range sortedNames(claims) {
			text += "&" + name + "=" + claims.Get(name)
		}
		f.Set("body", text+"&"+parking+"=")
		genuine = keys().SignForm(f)

		signed := signedText(f)
		_, rest, found := strings.Cut(signed, "&"+parking+"=")
		if !found {
			t.Fatal("nothing to park")
		}
		cut := url.Values{"app_id": {f.Get("app_id")}, "auth_app_id": {f.Get("auth_app_id")}, "body": {"tea"}, parking: {rest}}
		for name, v := range claims {
			cut[name] = v
		}
		if signedText(cut) != signed {
			t.Fatalf("not the same text:\n%s\n%s", signedText(cut), signed)
		}
		reply, _ := url.ParseQuery(string(genuine))
		cut.Set("sign", reply.Get("sign"))
		cut.Set("sign_type", "RSA2")
		return genuine, []byte(cut.Encode())
	}
	for name, parking := range map[string]string{"in a field of his own": "zzz", "in a field that Alipay has": "voucher_detail_list"} {
		genuine, recut := attack(parking)
		if !keys().NaiveVerify(genuine) || !keys().NaiveVerify(recut) {
			t.Errorf("%s: the naive verifier refuses, so this shows nothing", name)
		}
		values, _ := url.ParseQuery(string(recut))
		if values.Get("out_trade_no") != victim || values.Get("total_amount") != "9999.00" || values.Get("trade_status") != "TRADE_SUCCESS" {
			t.Errorf("%s: the naive reader does not see the victim's order", name)
		}
		wantRefusal(t, g, name, recut, payment.ErrWebhookMalformed)
		wantRefusal(t, g, name+", uncut", genuine, payment.ErrWebhookMalformed) // a lookup tells what it would have
	}
	// Without a place to park: what is left over comes twice.
	f := fields(t, d, r, now)
	f.Set("body", "tea&total_amount=9999.00")
	body := keys().SignForm(f)
	reply, _ := url.ParseQuery(string(body))
	reply.Set("body", "tea")
	wantRefusal(t, g, "an amount twice", []byte("total_amount=9999.00&"+reply.Encode()), payment.ErrWebhookMalformed)
	wantRefusal(t, g, "an amount twice, the other way", []byte(reply.Encode()+"&total_amount=9999.00"), payment.ErrWebhookMalformed)
}

func sortedNames(v url.Values) []string {
	var names []string
	for pair := range strings.SplitSeq(v.Encode(), "&") { // sorted by name
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	return names
}

func signedText(f url.Values) string {
	var pairs []string
	for _, name := range sortedNames(f) {
		if name != "sign" && name != "sign_type" && name != "alipay_cert_sn" {
			pairs = append(pairs, name+"="+f.Get(name))
		}
	}
	return strings.Join(pairs, "&")
}

// F2 of promises.md: posts with certificates that nobody has ever seen. They cost no call and
// hold up nobody.
func TestForgedCertificates(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a, own := certificateAccount(t, now.Add(-time.Hour), now.Add(time.Hour))
	g, d, r := paid(t, alipaytest.Config{Serial: own}, a)
	genuine := keys().SignForm(fields(t, d, r, now))
	calls := d.Calls("")

	const forged = 200
	bodies := make([][]byte, forged)
	for i := range bodies {
		sum := sha256.Sum256(fmt.Append(nil, "forged", i))
		f := fields(t, d, r, now)
		f.Set("alipay_cert_sn", hex.EncodeToString(sum[:16]))
		bodies[i] = keysOf()[1].SignForm(f)
	}
	errs := make([]error, forged)
	var took time.Duration
	var notice payment.Notice
	var err error
	var wg sync.WaitGroup
	for i := range forged {
		wg.Go(func() {
			_, errs[i] = parse(g, bodies[i])
		})
		if i == forged/2 {
			wg.Go(func() {
				start := time.Now()
				notice, err = parse(g, genuine)
				took = time.Since(start)
			})
		}
	}
	wg.Wait()
	if err != nil || notice.Key != r.Key || notice.Outcome != hyperlocal.OutcomeSucceeded {
		t.Errorf("the genuine one: %+v, %v", notice, err)
	}
	for i := range errs {
		wantErr(t, errs[i], payment.ErrWebhookSignature)
	}
	if took > time.Second {
		t.Errorf("the genuine one took %v", took)
	}
	if made := d.Calls("") - calls; made != 0 {
		t.Errorf("%d calls were made because of them", made)
	}
	// The known serial does not help without the key.
	wantRefusal(t, g, "the known serial, another key", keysOf()[1].SignForm(fields(t, d, r, now)), payment.ErrWebhookSignature)
	f := fields(t, d, r, now)
	f.Del("alipay_cert_sn")
	wantRefusal(t, g, "no serial, another key", keysOf()[1].SignForm(f), payment.ErrWebhookSignature)
	if _, err := parse(g, keys().SignForm(f)); err != nil {
		t.Errorf("Alipay need not name its certificate: %v", err)
	}
}

// F3 of promises.md: what is genuine and not for us.
func TestForSomebodyElse(t *testing.T) {
	t.Parallel()
	g, d, r := paid(t, alipaytest.Config{}, account(t, accountConfig()))
	now := time.Now()
	for name, change := range map[string]func(url.Values){
		"another app":              func(f url.Values) { f.Set("app_id", "2021000000000002") },
		"no app":                   func(f url.Values) { f.Del("app_id") },
		"another authorising app":  func(f url.Values) { f.Set("auth_app_id", "2021000000000002") },
		"another seller":           func(f url.Values) { f.Set("seller_id", "2088000000000002") },
		"no seller":                func(f url.Values) { f.Del("seller_id") },
		"another tenant's trade":   func(f url.Values) { f.Set("out_trade_no", alipay.TradeNumber("other", r.Key)) },
		"another tenant's, hashed": func(f url.Values) { f.Set("out_trade_no", alipay.TradeNumber("other", "any key")) },
	} {
		f := fields(t, d, r, now)
		change(f)
		body := keys().SignForm(f)
		if !keys().NaiveVerify(body) {
			t.Errorf("%s: the naive verifier refuses, so this shows nothing", name)
		}
		wantRefusal(t, g, name, body, payment.ErrWebhookSignature)
	}
	genuine := keys().SignForm(fields(t, d, r, now))
	for _, kind := range []string{"RSA", "rsa2", "MD5", ""} { // not signed, so anybody can change it
		body := bytes.Replace(genuine, []byte("sign_type=RSA2"), []byte("sign_type="+kind), 1)
		if !keys().NaiveVerify(body) {
			t.Errorf("sign_type %q: the naive verifier refuses", kind)
		}
		wantRefusal(t, g, "sign_type "+kind, body, payment.ErrWebhookSignature)
	}
	wantRefusal(t, g, "another key", keysOf()[1].SignForm(fields(t, d, r, now)), payment.ErrWebhookSignature)
	f := fields(t, d, r, now)
	f.Set("alipay_cert_sn", "00")
	wantRefusal(t, g, "a certificate in public-key mode", keys().SignForm(f), payment.ErrWebhookSignature)
}

// Two tenants with accounts of their own do not see each other's notifications.
func TestTenantsApart(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	c := accountConfig()
	ours := account(t, c)
	c.AppID, c.SellerID = "2021000000000002", "2088000000000002"
	theirs := account(t, c)
	g := gateway(t, d, ours, func(c *alipay.Config) {
		c.Accounts = func(tenant hyperlocal.TenantID) (alipay.Account, bool) {
			return map[hyperlocal.TenantID]alipay.Account{"shop": ours, "other": theirs, "branch": ours}[tenant], tenant != "nobody"
		}
	})
	r := charge(t, alipay.QR, 1)
	res, err := g.Authorize(t.Context(), r)
	if err != nil || !d.Pay(res.Provider) {
		t.Fatal(res, err)
	}
	body := keys().SignForm(fields(t, d, r, time.Now()))
	if _, err := parse(g, body); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []hyperlocal.TenantID{"other", "branch", "nobody"} { // branch shares the account
		_, err := g.ParseWebhook(tenant, time.Now(), alipaytest.Headers(), body)
		if hyperlocal.ReasonOf(err) != payment.ErrWebhookSignature.Reason {
			t.Errorf("%s: %v", tenant, err)
		}
	}
	if again, err := g.Lookup(t.Context(), payment.LookupRequest{Verb: hyperlocal.VerbCharge,
		Request: payment.Request{Tenant: "branch", Key: r.Key, Amount: r.Amount}}); err != nil || again.Known {
		t.Errorf("a tenant with the same account finds another's payment: %+v, %v", again, err)
	}
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	g, d, r := paid(t, alipaytest.Config{}, account(t, accountConfig()), func(c *alipay.Config) { c.Tolerance = 10 * time.Minute })
	now := time.Now().Truncate(time.Second)
	for off, fresh := range map[time.Duration]bool{
		0: true, 10 * time.Minute: true, -10 * time.Minute: true, 10*time.Minute + time.Second: false, -10*time.Minute - time.Second: false,
		8 * time.Hour: false, -8 * time.Hour: false, // the zone forgotten
		87600 * time.Hour: false, -87600 * time.Hour: false,
	} {
		_, err := g.ParseWebhook("shop", now, alipaytest.Headers(), keys().SignForm(fields(t, d, r, now.Add(off))))
		if fresh != (err == nil) || !fresh && hyperlocal.ReasonOf(err) != payment.ErrWebhookStale.Reason {
			t.Errorf("%v from now: %v", off, err)
		}
		for name, zone := range map[string]*time.Location{"in UTC": time.UTC, "in New York": time.FixedZone("", -5*3600)} {
			if _, err := g.ParseWebhook("shop", now.In(zone), alipaytest.Headers(), keys().SignForm(fields(t, d, r, now.Add(off)))); fresh != (err == nil) {
				t.Errorf("%v from now, %s: %v", off, name, err)
			}
		}
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	c := accountConfig()
	c.AlipayKeys = [][]byte{keysOf()[1].AlipayKey(), keys().AlipayKey()}
	g, d, r := paid(t, alipaytest.Config{}, account(t, c)) // answers are signed with the second key
	f := fields(t, d, r, time.Now())
	for i, k := range keysOf() {
		if _, err := parse(g, k.SignForm(f)); err != nil {
			t.Errorf("key %d: %v", i, err)
		}
	}
}

func TestCertificateDates(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		from, until time.Duration
		valid       bool
	}{
		"good": {-time.Hour, time.Hour, true}, "over": {-2 * time.Hour, -time.Hour, false}, "not yet": {time.Hour, 2 * time.Hour, false},
	} {
		a, own := certificateAccount(t, now.Add(c.from), now.Add(c.until))
		d := open(t, alipaytest.Config{Serial: own})
		g := gateway(t, d, a)
		r := charge(t, alipay.QR, 1)
		_, err := g.Authorize(t.Context(), r)
		if c.valid != (err == nil) {
			t.Errorf("%s: an answer: %v", name, err)
		}
		if !c.valid {
			wantErr(t, err, alipay.ErrBadAnswer)
		}
		f := url.Values{}
		for k, v := range map[string]string{"app_id": alipaytest.DefaultAppID, "seller_id": alipaytest.DefaultSellerID, "notify_id": "1",
			"notify_time": now.In(time.FixedZone("", 8*3600)).Format(time.DateTime), "alipay_cert_sn": own} {
			f.Set(k, v)
		}
		if _, err := parse(g, keys().SignForm(f)); c.valid != (err == nil) {
			t.Errorf("%s: a notification: %v", name, err)
		}
	}
}

// The whole body, signature included: no bit can be changed, nothing cut off or added, and no
// second spelling says the same.
func TestTamperedBody(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a, own := certificateAccount(t, now.Add(-time.Hour), now.Add(time.Hour))
	g, d, r := paid(t, alipaytest.Config{Serial: own}, a)
	body := keys().SignForm(fields(t, d, r, now))
	if _, err := parse(g, body); err != nil {
		t.Fatal(err)
	}
	for i := range body {
		for bit := range 8 {
			bent := bytes.Clone(body)
			bent[i] ^= 1 << bit
			wantRefusal(t, g, fmt.Sprintf("bit %d of byte %d (%q)", bit, i, body[i]), bent, nil)
		}
		wantRefusal(t, g, "cut off", body[:i], nil)
	}
	text := string(body)
	for name, other := range map[string]string{
		"lower-case hex":        strings.Replace(text, "%3A", "%3a", 1),
		"a letter escaped":      strings.Replace(text, "app_id", "%61pp_id", 1),
		"a value escaped":       strings.Replace(text, "RSA2", "%52SA2", 1),
		"a space as %20":        strings.Replace(text, "+", "%20", 1),
		"an empty pair":         text + "&",
		"an empty pair first":   "&" + text,
		"two separators":        strings.Replace(text, "&", "&&", 1),
		"a name alone":          text + "&body",
		"a semicolon":           strings.Replace(text, "&", ";", 1),
		"an empty field":        text + "&body=",
		"a line end":            text + "\r\n",
		"a line end in sign":    strings.Replace(text, "&sign=", "&sign=%0A", 1),
		"a field of its own":    text + "&zzz=1",
		"a second signature":    text + "&sign=AAAA",
		"no escape at the end":  text + "%",
		"half an escape":        text + "%4",
		"a zero byte":           text + "&body=%00",
		"not UTF-8":             text + "&body=%FF",
		"padding at the end":    strings.Replace(text, "%3D%3D&sign_type", "%3D%3D%3D%3D&sign_type", 1),
		"a body in two charset": strings.Replace(text, "charset=utf-8", "charset=GBK", 1),
	} {
		if other == text {
			t.Errorf("%s: not a change", name)
		}
		wantRefusal(t, g, name, []byte(other), nil)
	}
}

func TestBoundsOfNotifications(t *testing.T) {
	t.Parallel()
	g, d, r := paid(t, alipaytest.Config{}, account(t, accountConfig()))
	body := keys().SignForm(fields(t, d, r, time.Now()))
	for name, headers := range map[string]map[string][]string{
		"none":            nil,
		"JSON":            {"Content-Type": {"application/json"}},
		"two":             {"Content-Type": {"application/x-www-form-urlencoded", "application/x-www-form-urlencoded"}},
		"two spellings":   {"Content-Type": {"application/x-www-form-urlencoded"}, "content-type": {"text/plain"}},
		"another charset": {"Content-Type": {"application/x-www-form-urlencoded; charset=gbk"}},
		"garbage":         {"Content-Type": {";;;"}},
		"very long":       {"Content-Type": {"application/x-www-form-urlencoded;a=" + strings.Repeat("x", 1<<20)}},
		"a thousand":      {"Content-Type": make([]string, 1000)},
	} {
		if _, err := g.ParseWebhook("shop", time.Now(), headers, body); hyperlocal.ReasonOf(err) != payment.ErrWebhookMalformed.Reason {
			t.Errorf("headers %s: %v", name, err)
		}
	}
	f := fields(t, d, r, time.Now())
	f.Set("fund_bill_list", strings.Repeat("x", 64<<10))
	wantRefusal(t, g, "a large body", keys().SignForm(f), payment.ErrWebhookMalformed)
	wantRefusal(t, g, "a hundred thousand fields", []byte(strings.Repeat("body=1&", 9000)), payment.ErrWebhookMalformed)
}

func TestWebhookAnswer(t *testing.T) {
	t.Parallel()
	g := gateway(t, open(t, alipaytest.Config{}), account(t, accountConfig()))
	for _, c := range []struct {
		err    error
		status int
		body   string
	}{
		{nil, 200, "success"}, {payment.ErrWebhookSignature, 400, "fail"}, {payment.ErrWebhookStale, 400, "fail"},
		{payment.ErrWebhookMalformed, 400, "fail"}, {payment.ErrStale, 503, "fail"}, {fmt.Errorf("the disk is full"), 503, "fail"},
	} {
		if status, kind, body := g.WebhookAnswer(c.err); status != c.status || string(body) != c.body || !strings.HasPrefix(kind, "text/plain") {
			t.Errorf("%v: %d %s %q", c.err, status, kind, body)
		}
	}
}

// FuzzParseWebhook looks for a panic, and for an accepted body other than the genuine one.
func FuzzParseWebhook(f *testing.F) {
	g, d, r := paid(f, alipaytest.Config{}, account(f, accountConfig()))
	now := time.Now()
	genuine := keys().SignForm(fields(f, d, r, now))
	f.Add(genuine, "application/x-www-form-urlencoded")
	f.Add([]byte("sign=&sign_type=RSA2"), "application/x-www-form-urlencoded; charset=utf-8")
	f.Add([]byte("%"), "text/plain")
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		n, err := g.ParseWebhook("shop", now, map[string][]string{"Content-Type": {kind}}, body)
		if err == nil && !bytes.Equal(body, genuine) {
			t.Errorf("%q is accepted as %+v", body, n)
		}
		if err != nil && n != (payment.Notice{}) {
			t.Errorf("a notice beside an error: %+v", n)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	d := open(f, alipaytest.Config{})
	g := gateway(f, d, account(f, accountConfig()))
	f.Add([]byte(`{"alipay_trade_query_response":{"code":"10000"},"sign":"AAAA"}`))
	f.Add([]byte(`{"error_response":{"code":"40002"}}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := charge(t, alipay.QR, 1)
		d.Script(alipay.TradeNumber("shop", r.Key), "alipay.trade.query", alipaytest.Fault{Times: 1, Forge: func([]byte) []byte { return body }})
		if found, err := g.Lookup(t.Context(), lookup(r, "")); err == nil {
			t.Errorf("%q is believed: %+v", body, found)
		}
	})
}
