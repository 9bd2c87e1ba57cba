package wechatpay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Names of what travels with a signature.
const (
	scheme          = "WECHATPAY2-SHA256-RSA2048"
	headerTimestamp = "Wechatpay-Timestamp"
	headerNonce     = "Wechatpay-Nonce"
	headerSignature = "Wechatpay-Signature"
	headerSerial    = "Wechatpay-Serial"
	headerType      = "Wechatpay-Signature-Type"

	// probePrefix begins the signatures that WeChat Pay makes wrong on purpose, to see whether
	// they are checked.
	probePrefix = "WECHATPAY/SIGNTEST/"

	// tolerance is how far the time of a signature may lie from now, either way.
	tolerance = 5 * time.Minute

	maxSignature = 1024
	maxNonce     = 128
)

// Why a signature is not believed.
var (
	errSignature = errors.New("it is not signed by WeChat Pay")
	errProbe     = errors.New("it is signed wrongly on purpose, to see whether that is noticed")
	errExpired   = errors.New("the platform certificate is not valid now")
	errStale     = errors.New("it was signed too long ago or too far in the future")
)

// sign returns the base64 of the signature of the lines, each ended by a line feed.
func sign(key *rsa.PrivateKey, lines ...string) (string, error) {
	digest := hashLines(lines...)
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

func hashLines(lines ...string) []byte {
	h := sha256.New()
	for _, line := range lines {
		h.Write([]byte(line))
		h.Write([]byte{'\n'})
	}
	return h.Sum(nil)
}

// authorization is the header of a request: the scheme, and who signed what when.
func (g *Gateway) authorization(a *Account, method, target string, body []byte) (string, error) {
	stamp, nonce := strconv.FormatInt(g.clock.Now().Unix(), 10), g.nonce()
	signature, err := sign(a.PrivateKey, method, target, stamp, nonce, string(body))
	if err != nil {
		return "", err
	}
	return scheme + ` mchid="` + a.MerchantID + `",nonce_str="` + nonce + `",timestamp="` + stamp +
		`",serial_no="` + a.Serial + `",signature="` + signature + `"`, nil
}

// nonce has 32 hexadecimal digits.
func (g *Gateway) nonce() string { return strings.ReplaceAll(g.ids.NewID(), "-", "") }

// verify checks that WeChat Pay has signed the body at about now. The serial is looked for in
// the account's list and nowhere else; the signature is checked before the time is looked at.
// Errors: errSignature, errProbe, errExpired, errStale.
func (a *Account) verify(now time.Time, headers map[string][]string, body []byte) error {
	var stamp, nonce, signature, serial, kind string
	for _, h := range []struct {
		name  string
		value *string
		most  int
	}{
		{headerTimestamp, &stamp, 20}, {headerNonce, &nonce, maxNonce}, {headerSignature, &signature, maxSignature},
		{headerSerial, &serial, 64}, {headerType, &kind, 64},
	} {
		value, n := headerOf(headers, h.name)
		if n > 1 || len(value) > h.most || (value == "" && h.name != headerType) {
			return errSignature
		}
		*h.value = value
	}
	if strings.HasPrefix(signature, probePrefix) {
		return errProbe
	}
	if kind != "" && kind != scheme {
		return errSignature
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errSignature
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != signature { // the decoder skips line ends
		return errSignature
	}
	key := a.platform(serial)
	if key == nil {
		return errSignature
	}
	if rsa.VerifyPKCS1v15(key.Key, crypto.SHA256, hashLines(stamp, nonce, string(body)), raw) != nil {
		return errSignature
	}
	if (!key.NotBefore.IsZero() && now.Before(key.NotBefore)) || (!key.NotAfter.IsZero() && now.After(key.NotAfter)) {
		return errExpired
	}
	// Compared as numbers: subtracting times far apart saturates.
	if seconds < now.Add(-tolerance).Unix() || seconds > now.Add(tolerance).Unix() {
		return errStale
	}
	return nil
}

// platform returns the key of a serial. Certificates are written with and without leading
// zeros, in capitals and not.
func (a *Account) platform(serial string) *PlatformKey {
	bare := func(s string) string { return strings.TrimLeft(s, "0") }
	for i := range a.Platform {
		if strings.EqualFold(bare(a.Platform[i].Serial), bare(serial)) {
			return &a.Platform[i]
		}
	}
	return nil
}

// headerOf returns the value of a header, its name in any case, and how many there are.
func headerOf(headers map[string][]string, name string) (value string, n int) {
	for given, values := range headers {
		if !strings.EqualFold(given, name) {
			continue
		}
		if n += len(values); len(values) > 0 {
			value = values[0]
		}
	}
	return value, n
}
