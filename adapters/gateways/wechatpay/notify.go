package wechatpay

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// notification is the envelope of what WeChat Pay sends.
type notification struct {
	ID       string   `json:"id"`
	Event    string   `json:"event_type"`
	Resource resource `json:"resource"`
}

// resource is what a notification is about, sealed with the account's APIv3 key.
type resource struct {
	Algorithm  string `json:"algorithm"`
	Ciphertext string `json:"ciphertext"`
	Associated string `json:"associated_data"`
	Nonce      string `json:"nonce"`
}

const sealing = "AEAD_AES_256_GCM"

// ParseWebhook implements [payment.WebhookParser]. It makes no call, whatever the serial. The
// error for a signature that WeChat Pay made wrong on purpose has the field probe; it is
// answered like every other, which is what WeChat Pay wants to see.
//
// A notification about an order that was not made here is read with an empty Key. One that was
// made for another tenant is refused like a forged one, and so is one for another merchant or
// app.
func (g *Gateway) ParseWebhook(tenant hyperlocal.TenantID, now time.Time, headers map[string][]string, body []byte) (payment.Notice, error) {
	none := payment.Notice{}
	if len(body) > payment.MaxWebhookBody {
		return none, payment.ErrWebhookTooLarge
	}
	a, err := g.account(tenant)
	if err != nil {
		// Whether a tenant exists, and whether its account is in order, is nobody's business.
		return none, payment.ErrWebhookSignature.WithCause(err)
	}
	switch err := a.verify(now, headers, body); {
	case errors.Is(err, errStale):
		return none, payment.ErrWebhookStale
	case errors.Is(err, errProbe):
		return none, payment.ErrWebhookSignature.With("probe", true).WithCause(err)
	case err != nil:
		return none, payment.ErrWebhookSignature.WithCause(err)
	}
	var n notification
	if json.Unmarshal(body, &n) != nil || n.ID == "" || len(n.ID) > payment.MaxReference {
		return none, payment.ErrWebhookMalformed.WithMessage("the notification cannot be read")
	}
	var read func(*Account, hyperlocal.TenantID, []byte) (payment.Notice, error)
	switch {
	case n.Event == "TRANSACTION.SUCCESS":
		read = readTransaction
	case strings.HasPrefix(n.Event, "REFUND."):
		read = readRefund
	default:
		return payment.Notice{Event: n.ID}, nil // of a product that is not used here
	}
	text, err := n.Resource.open(a.APIv3Keys)
	if err != nil {
		return none, err
	}
	notice, err := read(a, tenant, text)
	if err != nil {
		return none, err
	}
	notice.Event = n.ID
	return notice, nil
}

// open decrypts a resource with the first of the keys that fits. Errors:
// payment/webhook_malformed.
func (r *resource) open(keys [][]byte) ([]byte, error) {
	bad := func(what string) ([]byte, error) { return nil, payment.ErrWebhookMalformed.WithMessage("%s", what) }
	if r.Algorithm != sealing {
		return bad("the notification is sealed in a way that is not known here")
	}
	sealed, err := base64.StdEncoding.DecodeString(r.Ciphertext)
	if err != nil {
		return bad("the notification's ciphertext is not base64")
	}
	for _, key := range keys {
		block, err := aes.NewCipher(key)
		if err != nil {
			continue
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			continue
		}
		if len(r.Nonce) != gcm.NonceSize() { // Open panics at any other length
			return bad("the notification's nonce does not have 12 bytes")
		}
		if text, err := gcm.Open(nil, []byte(r.Nonce), sealed, []byte(r.Associated)); err == nil {
			return text, nil
		}
	}
	return bad("none of the account's APIv3 keys opens the notification")
}

func readTransaction(a *Account, tenant hyperlocal.TenantID, text []byte) (payment.Notice, error) {
	var t transaction
	if json.Unmarshal(text, &t) != nil {
		return payment.Notice{}, payment.ErrWebhookMalformed.WithMessage("the notification's resource cannot be read")
	}
	if t.MerchantID != a.MerchantID || !a.ours(t.AppID) {
		return payment.Notice{}, payment.ErrWebhookSignature.WithMessage("the notification is for another merchant or app")
	}
	if !goodKey(t.Attach) || orderNumber(tenant, t.Attach) != t.Number {
		if isOrderNumber(t.Number) {
			return payment.Notice{}, payment.ErrWebhookSignature.WithMessage("the notification is for another tenant")
		}
		return payment.Notice{}, nil
	}
	r, err := t.result()
	if err != nil {
		return payment.Notice{}, payment.ErrWebhookMalformed.WithMessage("the notification's state or amount cannot be read")
	}
	return notice(t.Attach, hyperlocal.VerbCharge, r), nil
}

func readRefund(a *Account, tenant hyperlocal.TenantID, text []byte) (payment.Notice, error) {
	var f refund
	if json.Unmarshal(text, &f) != nil {
		return payment.Notice{}, payment.ErrWebhookMalformed.WithMessage("the notification's resource cannot be read")
	}
	if f.MerchantID != a.MerchantID {
		return payment.Notice{}, payment.ErrWebhookSignature.WithMessage("the notification is for another merchant")
	}
	key, ok, foreign := refundKey(tenant, f.Number)
	if foreign {
		return payment.Notice{}, payment.ErrWebhookSignature.WithMessage("the notification is for another tenant")
	}
	if !ok {
		return payment.Notice{}, nil
	}
	f.Status = f.RefundStatus
	r, err := f.result(f.Number, "")
	if err != nil {
		return payment.Notice{}, payment.ErrWebhookMalformed.WithMessage("the notification's state or amount cannot be read")
	}
	return notice(key, hyperlocal.VerbRefund, r), nil
}

func notice(key string, verb hyperlocal.PaymentVerb, r payment.Result) payment.Notice {
	return payment.Notice{Key: key, Verb: verb, Outcome: r.Outcome, Amount: r.Amount, Provider: r.Provider, Class: r.Class, Code: r.Code}
}
