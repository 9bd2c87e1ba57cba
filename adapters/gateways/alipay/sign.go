package alipay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"
)

// RSA2 is SHA256withRSA with PKCS #1 v1.5 padding. What is signed of a request are its
// parameters without sign, sorted by name, as name=value joined with "&", not escaped.
// https://opendocs.alipay.com/common/057k53

// joined returns the text that is signed of the fields.
func joined(fields map[string]string) string {
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(fields[name])
	}
	return b.String()
}

// sign signs the text with the app's key.
func (a *account) sign(text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, a.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}

// verifier is one key of Alipay's.
type verifier struct {
	key       *rsa.PublicKey
	serial    string    // of the certificate, "" for a key without one
	notBefore time.Time // zero without a certificate
	notAfter  time.Time
}

func (v *verifier) valid(now time.Time) bool {
	return v.serial == "" || !now.Before(v.notBefore) && !now.After(v.notAfter)
}

// verify checks a signature of Alipay's over the text, at the given time. serial is the
// certificate that it names, if any: answers in certificate mode do, notifications may not. One
// that is not in the account is refused as it is; nobody is asked for it.
func (a *account) verify(now time.Time, serial string, text []byte, signature string) bool {
	sig, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil || strings.ContainsAny(signature, "\r\n") { // which the decoder would skip
		return false
	}
	sum := sha256.Sum256(text)
	for i := range a.keys {
		v := &a.keys[i]
		if (serial == "" || serial == v.serial) && v.valid(now) && len(sig) == v.key.Size() &&
			rsa.VerifyPKCS1v15(v.key, crypto.SHA256, sum[:], sig) == nil {
			return true
		}
	}
	return false
}
