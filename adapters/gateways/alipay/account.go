package alipay

import (
	"bytes"
	"crypto/md5" //nolint:gosec // Alipay names certificates by MD5; nothing is protected by it
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// AccountConfig describes a tenant's account at Alipay: one app of one seller. Keys and
// certificates are given as Alipay hands them out: PEM, or the base64 text alone.
//
// With AlipayKeys the account is in public-key mode, with the three certificates in
// certificate mode. Several keys or certificates of Alipay's may be given, so that they can be
// exchanged without a gap.
type AccountConfig struct {
	AppID    string // digits, at most 32
	SellerID string // the seller's user id: 2088 and 12 more digits
	// PrivateKey is the app's RSA key, PKCS #1 or PKCS #8, of at least 2048 bits.
	PrivateKey []byte `json:"-"`
	// AlipayKeys are Alipay's public keys: 1 to 8.
	AlipayKeys [][]byte
	// AppCertificate and RootCertificates are what requests name by their serial numbers.
	AppCertificate   []byte
	RootCertificates []byte // alipayRootCert.crt; certificates that are not RSA are passed over
	// AlipayCertificates are the certificates that Alipay may sign with: 1 to 8. Any other is
	// refused; none is downloaded.
	AlipayCertificates [][]byte
	// NotifyURL is where Alipay sends notifications, "" for nowhere; ReturnURL is where the
	// shopper's browser goes after a page payment. At most 256 bytes each.
	NotifyURL string
	ReturnURL string
}

// String tells which account it is, and no key.
func (c AccountConfig) String() string { return "alipay account " + c.AppID }

// GoString is String.
func (c AccountConfig) GoString() string { return c.String() }

// LogValue is String.
func (c AccountConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Account is a checked AccountConfig, made by [NewAccount]. It is immutable, and cheap to copy.
type Account struct{ *account }

// String tells which account it is, and no key.
func (a Account) String() string {
	if a.account == nil {
		return "no alipay account"
	}
	return "alipay account " + a.appID
}

// GoString is String.
func (a Account) GoString() string { return a.String() }

// LogValue is String.
func (a Account) LogValue() slog.Value { return slog.StringValue(a.String()) }

type account struct {
	appID, sellerID      string
	key                  *rsa.PrivateKey
	keys                 []verifier
	appSerial            string // "" in public-key mode
	rootSerial           string
	notifyURL, returnURL string
}

const (
	minKeyBits = 2048
	maxKeyBits = 8192 // above it a signature takes long enough to be a weapon
	maxKeys    = 8
)

// NewAccount checks an account. Every problem is reported at once; errors are of code invalid
// and say what to do, and never contain a key.
func NewAccount(c AccountConfig) (Account, error) {
	a := &account{appID: c.AppID, sellerID: c.SellerID, notifyURL: c.NotifyURL, returnURL: c.ReturnURL}
	var errs []error
	wrong := func(field, message string) { errs = append(errs, hyperlocal.Invalid("alipay", field, message)) }
	if !isDigits(c.AppID) || len(c.AppID) > 32 {
		wrong("app_id", "the app id has 1 to 32 digits; it is shown on the app's page at open.alipay.com")
	}
	if !isDigits(c.SellerID) || len(c.SellerID) != 16 || !strings.HasPrefix(c.SellerID, "2088") {
		wrong("seller_id", "the seller id (PID) has 16 digits and begins with 2088")
	}
	var err error
	if a.key, err = privateKey(c.PrivateKey); err != nil {
		wrong("private_key", err.Error())
	}
	byCertificate := len(c.AppCertificate)+len(c.RootCertificates)+len(c.AlipayCertificates) > 0
	switch {
	case byCertificate && len(c.AlipayKeys) > 0:
		wrong("mode", "give Alipay's public keys or the certificates, not both")
	case byCertificate:
		a.setCertificates(&c, wrong)
	case len(c.AlipayKeys) == 0 || len(c.AlipayKeys) > maxKeys:
		wrong("alipay_keys", "give 1 to 8 public keys of Alipay's (not the app's), or the certificates")
	}
	for _, text := range c.AlipayKeys {
		k, err := publicKey(text)
		if err != nil {
			wrong("alipay_keys", err.Error())
			continue
		}
		if a.key != nil && k.Equal(&a.key.PublicKey) {
			wrong("alipay_keys", "this is the app's own public key; copy the one that is labelled Alipay's")
		}
		a.keys = append(a.keys, verifier{key: k})
	}
	for _, u := range []string{c.NotifyURL, c.ReturnURL} {
		if u != "" && (len(u) > 256 || !isWebAddress(u)) {
			wrong("url", "NotifyURL and ReturnURL are absolute http or https addresses of at most 256 bytes")
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Account{}, err
	}
	return Account{a}, nil
}

// setCertificates computes the serial numbers that requests carry.
func (a *account) setCertificates(c *AccountConfig, wrong func(field, message string)) {
	app, err := certificates(c.AppCertificate)
	if err != nil || len(app) == 0 {
		wrong("app_certificate", "give appCertPublicKey.crt, an RSA certificate in PEM")
	} else {
		a.appSerial = serialOf(app[0])
		if a.key != nil && !a.key.PublicKey.Equal(app[0].PublicKey) {
			wrong("app_certificate", "the certificate does not belong to the private key")
		}
	}
	roots, err := certificates(c.RootCertificates)
	var serials []string
	for _, root := range roots {
		if root.SignatureAlgorithm == x509.SHA256WithRSA || root.SignatureAlgorithm == x509.SHA1WithRSA {
			serials = append(serials, serialOf(root))
		}
	}
	if err != nil || len(serials) == 0 {
		wrong("root_certificates", "give alipayRootCert.crt, PEM with at least one RSA certificate")
	}
	a.rootSerial = strings.Join(serials, "_")
	if len(c.AlipayCertificates) == 0 || len(c.AlipayCertificates) > maxKeys {
		wrong("alipay_certificates", "give 1 to 8 certificates of Alipay's (alipayCertPublicKey_RSA2.crt)")
	}
	for _, text := range c.AlipayCertificates {
		list, err := certificates(text)
		if err != nil || len(list) == 0 {
			wrong("alipay_certificates", "alipayCertPublicKey_RSA2.crt is an RSA certificate in PEM")
			continue
		}
		key, ok := list[0].PublicKey.(*rsa.PublicKey)
		if !ok || key.N.BitLen() < minKeyBits || key.N.BitLen() > maxKeyBits {
			wrong("alipay_certificates", "the certificate's key is RSA with 2048 to 8192 bits")
			continue
		}
		a.keys = append(a.keys, verifier{key: key, serial: serialOf(list[0]), notBefore: list[0].NotBefore, notAfter: list[0].NotAfter})
	}
}

// serialOf is how Alipay names a certificate: MD5, in hex, of the issuer's name (RFC 4514, as
// it is written last part first) followed by the serial number in decimal.
func serialOf(c *x509.Certificate) string {
	sum := md5.Sum([]byte(c.Issuer.String() + c.SerialNumber.String())) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

// certificates reads the certificates of a PEM file that this platform understands: the root
// file holds some with SM2 keys, which it does not.
func certificates(text []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for range 32 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return list, nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err == nil && block.Type == "CERTIFICATE" {
			list = append(list, c)
		}
	}
	return nil, errors.New("too many certificates")
}

func derOf(text []byte) ([]byte, error) {
	if block, _ := pem.Decode(text); block != nil {
		return block.Bytes, nil
	}
	bare := bytes.Join(bytes.Fields(text), nil)
	if len(bare) == 0 {
		return nil, errors.New("the key is missing")
	}
	der := make([]byte, base64.StdEncoding.DecodedLen(len(bare)))
	n, err := base64.StdEncoding.Decode(der, bare)
	if err != nil {
		return nil, errors.New("the key is neither PEM nor base64") // the decoder's error would point into it
	}
	return der[:n], nil
}

func privateKey(text []byte) (*rsa.PrivateKey, error) {
	der, err := derOf(text)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		parsed, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, errors.New("the app's private key is neither PKCS #1 nor PKCS #8")
		}
		ours, ok := parsed.(*rsa.PrivateKey)
		if !ok {
			return nil, errors.New("the app's private key is not an RSA key; RSA2 needs one")
		}
		key = ours
	}
	if bits := key.N.BitLen(); bits < minKeyBits || bits > maxKeyBits {
		return nil, errors.New("the app's private key has 2048 to 8192 bits")
	}
	return key, nil
}

func publicKey(text []byte) (*rsa.PublicKey, error) {
	der, err := derOf(text)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		if parsed, err = x509.ParsePKCS1PublicKey(der); err != nil {
			return nil, errors.New("this is not an RSA public key")
		}
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("this is not an RSA public key")
	}
	if bits := key.N.BitLen(); bits < minKeyBits || bits > maxKeyBits {
		return nil, errors.New("the public key of Alipay has 2048 to 8192 bits")
	}
	return key, nil
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

func isWebAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// isLoopback tells an address of this machine, where a double of Alipay runs.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
