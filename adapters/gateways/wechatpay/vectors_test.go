package wechatpay

import (
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Recorded by the provider: core/notify/notify_test.go and utils/aes_test.go of
// github.com/wechatpay-apiv3/wechatpay-go v0.2.21. Its APIv3 keys have 16 bytes, which an
// Account refuses, so the parts are tested one by one.
const (
	vectorCertificate = `-----BEGIN CERTIFICATE-----
MIIDVzCCAj+gAwIBAgIJANfOWdH1ItcBMA0GCSqGSIb3DQEBCwUAMEIxCzAJBgNV
BAYTAlhYMRUwEwYDVQQHDAxEZWZhdWx0IENpdHkxHDAaBgNVBAoME0RlZmF1bHQg
Q29tcGFueSBMdGQwHhcNMjEwNDI3MDg1NTIzWhcNMzEwNDI1MDg1NTIzWjBCMQsw
CQYDVQQGEwJYWDEVMBMGA1UEBwwMRGVmYXVsdCBDaXR5MRwwGgYDVQQKDBNEZWZh
dWx0IENvbXBhbnkgTHRkMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA
2VCTd91fnUn73Xy9DLvt/V62TVxRTEEstVdeRaZ3B3leO0pldE806mXO4RwdHXag
HQ4vGeZN0yqm++rDsGK+U3AH7kejyD2pXshNP9Cq5YwbptiLGtjcquw4HNxJQUOm
DeJf2vg6byms9RUipiq4SzbJKqJFlUpbuIPDpSpWz10PYmyCNeDGUUK65E5h2B83
4uxl1zNLYQCrkdBzb8oUxwYeP5a2DNxmjL5lsJML7DGr5znsevnoqGRwTm9fxCGf
y8wus7hwKz6clt3Whmmda7UAdb1c08hEQFVRbF14AR73xbnd8N0obCWJPCbzMCtk
aSef4FdEEgEXJiw0VAJT8wIDAQABo1AwTjAdBgNVHQ4EFgQUT1c7nd/SUO76HSoZ
umNUJv1R5PwwHwYDVR0jBBgwFoAUT1c7nd/SUO76HSoZumNUJv1R5PwwDAYDVR0T
BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAfTjxKRQMzNB/U6ZoCUS+BSNfa2Oh
0plMN6ZuzwiVVZwg1jywvv5yv04koS7Pd4i9E4gt9ZBUQXlpq+A3oOCEEHNRR6b2
kyazGRM7s0OP5X21WrbpSmKmU6K7hkfx30yYs08LVs/Q8DIhvaj1FCFeJzUCzYn/
fHMq4tsbKO0dKAeydPM/nrUZBmaYQVKMVOORGLFjFKVO7JV6Kq/R86ouhjEPgJOe
2xulNBUcjicqtZlBdEh/PWCYP2SpGVDclKm8jeo175T3EVAkdKzzmfpxtMmnMlmq
cTJOU9TxuGvNASMtjj7pYIerTx+xgZDXEVBWFW9PjJ0TV06tCRsgSHItgg==
-----END CERTIFICATE-----`

	vectorSignature = "tJHIiIS9eB2hAYstmAmbbD3ZE5LiIm/Ug5tuL4fC0YOFRWIHV39UFIZXC0e9Wl6lBu6sKvkqDkzpqzBsVHyXF" +
		"lbYZTOQrVdG4b6LfTnK4mikv9++ixJMd3vTf2yCqvBkh98zs3Ds5zsYQakzbcwhmw4fMJs4nPLws28H0UW9FjDR//rxELLwXvV1VEA1I" +
		"BLX70xptjL8hrfUjEE8kkry6yNJTHZRU8CAc7qHli2Ng1V1qb9ARbK8A3ThmFmPQvRGrapI/jS2laKKgYUmfdEdkNO6B2Cke5e8VTxY4" +
		"06ArAmQ90GAihDwIcb16TQMnzCMBoutnwZKNiKRACrFmtxw2Q=="

	vectorCiphertext = "YDS3lKPaC4Y52Gf3uhft5qUBlIa8b428AWTtTauHQfQrRw+X1WpiuHIDy0vo1Vd6VEq67aVyqPdDYMkRVSDaZL3iZt" +
		"tevRMOoPKMifozg6XPWjIZumks/GpT48lI4NizyeaqLBokNebthah3o1H76qSlO9NkDjp9bzmKLEYYH9TEklFUpsvPqOTOcgSLgh21YJXYR" +
		"7dEBXFgRLiNIKRgO5JdXh1hccRUAlyVWxE54PXpnQ=="

	vectorBody = `{"id":"3119dfba-e649-5eec-ab1e-3412bc4d2e17","create_time":"2021-06-24T16:37:26+08:00",` +
		`"resource_type":"encrypt-resource","event_type":"PAYSCORE.USER_OPEN_SERVICE","summary":"签约成功",` +
		`"resource":{"original_type":"payscore","algorithm":"AEAD_AES_256_GCM","ciphertext":"` + vectorCiphertext +
		`","associated_data":"payscore","nonce":"Kj7QIyUiYx1q"}}`
)

func TestRecordedNotification(t *testing.T) {
	t.Parallel()
	platform, err := ParsePlatformCertificate([]byte(vectorCertificate))
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string][]string{
		headerNonce: {"EcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NBz"}, headerTimestamp: {"1624523846"},
		headerSerial: {"D7CE59D1F522D701"}, headerSignature: {vectorSignature},
	}
	a := Account{Platform: []PlatformKey{platform}}
	at := time.Unix(1624523846, 0)
	if err := a.verify(at, headers, []byte(vectorBody)); err != nil {
		t.Error(err)
	}
	if err := a.verify(at, headers, []byte(vectorBody+" ")); err == nil {
		t.Error("another body is accepted")
	}
	for _, off := range []time.Duration{-301 * time.Second, 301 * time.Second, 10 * 365 * 24 * time.Hour} {
		if err := a.verify(at.Add(off), headers, []byte(vectorBody)); err == nil {
			t.Errorf("accepted %v later", off)
		}
	}
	for _, off := range []time.Duration{-300 * time.Second, 300 * time.Second} {
		if err := a.verify(at.Add(off), headers, []byte(vectorBody)); err != nil {
			t.Errorf("%v later: %v", off, err)
		}
	}
}

func TestRecordedResources(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, plain string
		sealed     resource
	}{
		{
			"testMchAPIv3Key0", `{"mchid":"1234567890","appid":"054aa7d7a2a54ab5898df65bd96f001c","create_time":"2020-06-30T12:12:00+08:00",` +
				`"out_contract_code":"21640bdbd08e473e828f3206a2741c6e"}`,
			resource{Algorithm: sealing, Ciphertext: vectorCiphertext, Associated: "payscore", Nonce: "Kj7QIyUiYx1q"},
		},
		{
			"testAPIv3Key0000", "Hello World",
			resource{Algorithm: sealing, Ciphertext: "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC", Associated: "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8", Nonce: "wCq51qZv4Yfg"},
		},
	} {
		text, err := c.sealed.open([][]byte{[]byte("anotherKey000000"), []byte(c.key)})
		if err != nil || string(text) != c.plain {
			t.Errorf("%q, %v", text, err)
		}
		c.sealed.Associated += "x"
		if text, err := c.sealed.open([][]byte{[]byte(c.key)}); err == nil {
			t.Errorf("opened with other associated data: %q", text)
		}
	}
}

// The numbers that WeChat Pay knows fit it, are the same whenever they are made, and tell their
// tenant.
func TestNumbers(t *testing.T) {
	t.Parallel()
	ids := hyperlocal.RandomIDs{}
	seen := map[string]bool{}
	for range 1000 {
		id := ids.NewID()
		for _, key := range []string{"refund/" + id, "refund/" + id + "/2", "refund/" + id + "/999", "intent/" + id + "/attempt/1/charge", id} {
			for _, tenant := range []hyperlocal.TenantID{"a", "b"} {
				order, back := orderNumber(tenant, key), refundNumber(tenant, key)
				if seen[order] || (seen[back] && back != order) || order != orderNumber(tenant, key) || !isOrderNumber(order) {
					t.Fatalf("%s of %s", order, key)
				}
				seen[order], seen[back] = true, true
				if !consistsOf(order, 6, 32, letters+digits+"_-|*") || !consistsOf(back, 1, 64, letters+digits+"_-|*@") {
					t.Fatalf("%s, %s of %s", order, back, key)
				}
				got, ok, foreign := refundKey(tenant, back)
				if ok != (key[:3] == "ref") || (ok && got != key) || (foreign && ok) {
					t.Fatalf("%s of %s reads as %s, %v, %v", back, key, got, ok, foreign)
				}
				if _, ok, foreign := refundKey("c", back); ok || foreign != (key[:3] == "ref") {
					t.Fatalf("another tenant reads %s", back)
				}
			}
		}
	}
}

// Every currency is written as ISO 4217 has it, or refused.
func TestCurrencies(t *testing.T) {
	t.Parallel()
	for currency, taken := range map[hyperlocal.Currency]bool{"CNY": true, "JPY": false, "KWD": false, "USD": false, "HKD": false, "EUR": false} {
		m, err := hyperlocal.NewMoney(12345, currency)
		if err != nil {
			t.Fatal(err)
		}
		if units, ok := minor(m); ok != taken || (ok && units != 12345) {
			t.Errorf("%s: %d, %v", currency, units, ok)
		}
	}
	for currency, decimals := range currencies {
		if iso, ok := currency.Decimals(); !ok || iso != decimals {
			t.Errorf("%s has %d decimals by ISO 4217, the table says %d: amounts would have to be converted", currency, iso, decimals)
		}
	}
}

// Only these retry, and each of them surely moved nothing.
func TestDeclineClasses(t *testing.T) {
	t.Parallel()
	for code, class := range declines {
		res, err := outcomeOf(&refusal{status: 400, code: code})
		if err != nil || res.Outcome != hyperlocal.OutcomeDeclined || res.Class != class || res.Code != code {
			t.Errorf("%s: %+v, %v", code, res, err)
		}
	}
	for _, code := range []string{"SYSTEM_ERROR", "BANK_ERROR", "BIZERR_NEED_RETRY", "USERPAYING", ""} {
		if res, err := outcomeOf(&refusal{status: 400, code: code}); err == nil || res != (payment.Result{}) {
			t.Errorf("%q may mean anything: %+v, %v", code, res, err)
		}
	}
}
