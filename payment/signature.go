package payment

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// MinSecret is the least length of a webhook secret, in bytes. With an empty or short one
// anybody can sign.
const MinSecret = 24

// DefaultTolerance is how far the time in a signature may lie from now, either way.
const DefaultTolerance = 5 * time.Minute

// Signer signs and verifies webhooks with HMAC-SHA256 over "<unix seconds>.<body>", written
// "t=<unix seconds>,v1=<hex>", the scheme that several providers share. It is for gateways
// to build on. Signing uses the first secret, verifying accepts any of them, so that secrets
// can be exchanged without a gap.
type Signer struct {
	secrets   [][]byte
	tolerance time.Duration
}

// NewSigner returns a Signer. A tolerance of zero means DefaultTolerance. Errors:
// payment/weak_secret for no secret or one shorter than MinSecret.
func NewSigner(tolerance time.Duration, secrets ...[]byte) (*Signer, error) {
	if tolerance < 0 {
		return nil, errors.New("payment: the tolerance of a signer is negative")
	}
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	if len(secrets) == 0 {
		return nil, ErrWeakSecret
	}
	s := &Signer{tolerance: tolerance}
	for _, secret := range secrets {
		if len(secret) < MinSecret {
			return nil, ErrWeakSecret
		}
		s.secrets = append(s.secrets, append([]byte(nil), secret...))
	}
	return s, nil
}

// Sign returns the header for a body that is sent at the given time.
func (s *Signer) Sign(at time.Time, body []byte) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return "t=" + stamp + ",v1=" + hex.EncodeToString(sign(s.secrets[0], stamp, body))
}

const (
	maxSignatureHeader = 1024
	maxSignatures      = 8
)

// Verify checks the header against the body. The signature is compared before the time is
// looked at, in constant time. Errors: payment/webhook_signature, payment/webhook_stale.
func (s *Signer) Verify(now time.Time, header string, body []byte) error {
	if len(header) > maxSignatureHeader {
		return ErrWebhookSignature
	}
	stamp := ""
	var given [][]byte
	for part := range strings.SplitSeq(header, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case !ok:
			return ErrWebhookSignature
		case name == "t":
			if stamp != "" { // two times: which one was signed?
				return ErrWebhookSignature
			}
			stamp = value
		case name == "v1":
			mac, err := hex.DecodeString(value)
			if err != nil || len(mac) != sha256.Size || len(given) == maxSignatures {
				return ErrWebhookSignature
			}
			given = append(given, mac)
		}
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != stamp || len(given) == 0 {
		return ErrWebhookSignature
	}
	genuine := false
	for _, secret := range s.secrets {
		want := sign(secret, stamp, body)
		for _, mac := range given {
			if hmac.Equal(mac, want) {
				genuine = true
			}
		}
	}
	if !genuine {
		return ErrWebhookSignature
	}
	// Compared as numbers: subtracting times far apart saturates.
	low, high := now.Add(-s.tolerance).Unix(), now.Add(s.tolerance).Unix()
	if seconds < low || seconds > high {
		return ErrWebhookStale
	}
	return nil
}

func sign(secret []byte, stamp string, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(stamp))
	h.Write([]byte{'.'})
	h.Write(body)
	return h.Sum(nil)
}
