package payment_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

var (
	oldSecret = []byte("old-secret-0123456789abc")
	newSecret = []byte("new-secret-0123456789abc")
)

func signer(t testing.TB, secrets ...[]byte) *payment.Signer {
	t.Helper()
	s, err := payment.NewSigner(0, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignerRefusesWeakSecrets(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][][]byte{nil, {nil}, {{}}, {[]byte("short")}, {make([]byte, 23)}, {oldSecret, nil}} {
		if _, err := payment.NewSigner(0, secrets...); hyperlocal.ReasonOf(err) != payment.ErrWeakSecret.Reason {
			t.Errorf("%q: %v", secrets, err)
		}
	}
	if _, err := payment.NewSigner(-time.Second, oldSecret); err == nil {
		t.Error("a negative tolerance is accepted")
	}
}

// The expected signature was computed with openssl:
//
//	printf '1767323045.{"a":1}' | openssl dgst -sha256 -hmac old-secret-0123456789abc
func TestSignatureVector(t *testing.T) {
	t.Parallel()
	at := time.Unix(1767323045, 0)
	const want = "t=1767323045,v1=d18e0ad605397925a8ad8fe2526b89bcf4044a61eb9e59debb03812480496231"
	if got := signer(t, oldSecret).Sign(at, []byte(`{"a":1}`)); got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1767323045, 0)
	body := []byte(`{"a":1}`)
	s := signer(t, oldSecret)
	good := s.Sign(now, body)
	_, mac, _ := strings.Cut(good, ",")
	for name, c := range map[string]struct {
		header string
		body   string
		at     time.Duration // of the verifier
		want   *hyperlocal.Error
	}{
		"genuine":              {good, `{"a":1}`, 0, nil},
		"blanks":               {strings.ReplaceAll(good, ",", ", "), `{"a":1}`, 0, nil},
		"unknown scheme too":   {good + ",v0=zz", `{"a":1}`, 0, nil},
		"five minutes late":    {good, `{"a":1}`, 5 * time.Minute, nil},
		"five minutes early":   {good, `{"a":1}`, -5 * time.Minute, nil},
		"later":                {good, `{"a":1}`, 5*time.Minute + time.Second, payment.ErrWebhookStale},
		"earlier":              {good, `{"a":1}`, -5*time.Minute - time.Second, payment.ErrWebhookStale},
		"another body":         {good, `{"a":2}`, 0, payment.ErrWebhookSignature},
		"empty":                {"", `{"a":1}`, 0, payment.ErrWebhookSignature},
		"no time":              {mac, `{"a":1}`, 0, payment.ErrWebhookSignature},
		"no signature":         {"t=1767323045", `{"a":1}`, 0, payment.ErrWebhookSignature},
		"two times":            {"t=1767323046," + good, `{"a":1}`, 0, payment.ErrWebhookSignature},
		"another time":         {"t=1767323046," + mac, `{"a":1}`, 0, payment.ErrWebhookSignature},
		"time with a plus":     {"t=+1767323045," + mac, `{"a":1}`, 0, payment.ErrWebhookSignature},
		"short signature":      {good[:len(good)-2], `{"a":1}`, 0, payment.ErrWebhookSignature},
		"not hexadecimal":      {good[:len(good)-1] + "x", `{"a":1}`, 0, payment.ErrWebhookSignature},
		"huge header":          {good + strings.Repeat(",v0=0", 1000), `{"a":1}`, 0, payment.ErrWebhookSignature},
		"too many signatures":  {good + strings.Repeat(","+mac, 9), `{"a":1}`, 0, payment.ErrWebhookSignature},
		"time beyond all time": {"t=9223372036854775807," + mac, `{"a":1}`, 0, payment.ErrWebhookSignature},
	} {
		err := s.Verify(now.Add(c.at), c.header, []byte(c.body))
		if c.want == nil && err != nil || c.want != nil && hyperlocal.ReasonOf(err) != c.want.Reason {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1767323045, 0)
	body := []byte("x")
	both := signer(t, newSecret, oldSecret)
	if err := both.Verify(now, signer(t, oldSecret).Sign(now, body), body); err != nil {
		t.Errorf("the old secret: %v", err)
	}
	if err := signer(t, newSecret).Verify(now, both.Sign(now, body), body); err != nil {
		t.Errorf("signing uses the first secret: %v", err)
	}
	if err := signer(t, oldSecret).Verify(now, signer(t, newSecret).Sign(now, body), body); err == nil {
		t.Error("a foreign secret is accepted")
	}
	// Far-away times must not wrap around.
	far := time.Unix(1<<40, 0)
	if err := both.Verify(now, both.Sign(far, body), body); hyperlocal.ReasonOf(err) != payment.ErrWebhookStale.Reason {
		t.Errorf("34,000 years ahead: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	now := time.Unix(1767323045, 0)
	s := signer(f, oldSecret)
	body := []byte(`{"a":1}`)
	f.Add(s.Sign(now, body), body)
	f.Add("t=1,v1=00", []byte{})
	f.Add("", []byte(nil))
	f.Fuzz(func(t *testing.T, header string, b []byte) {
		if s.Verify(now, header, b) == nil && !bytes.Equal(b, body) {
			t.Errorf("%q is accepted for %q", header, b)
		}
	})
}
