package alipaytest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"sort"
	"strings"
	"time"
)

// Keys are those of an app and those of Alipay, made on the spot.
type Keys struct {
	App, Alipay *rsa.PrivateKey
}

// NewKeys makes keys. It takes some tenths of a second.
func NewKeys() (*Keys, error) {
	app, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	return &Keys{App: app, Alipay: own}, err
}

// AppKey is the app's private key the way Alipay's tool writes it: PKCS #8 in base64.
func (k *Keys) AppKey() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(k.App)
	if err != nil {
		panic(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(der))
}

// AlipayKey is Alipay's public key the way its site shows it: base64 without a frame.
func (k *Keys) AlipayKey() []byte {
	der, err := x509.MarshalPKIXPublicKey(&k.Alipay.PublicKey)
	if err != nil {
		panic(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(der))
}

// Certificate is a self-signed certificate over a key, in PEM, good between two times.
func Certificate(key *rsa.PrivateKey, name string, serial int64, from, until time.Time) []byte {
	of := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name, Organization: []string{"Test"}, Country: []string{"CN"}},
		NotBefore: from, NotAfter: until, SignatureAlgorithm: x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// sorted is the text that Alipay signs: pairs sorted by name, nothing escaped.
func sorted(values url.Values, without ...string) string {
	var pairs []string
	for name := range values {
		if v := values.Get(name); v != "" && !contains(without, name) {
			pairs = append(pairs, name+"="+v)
		}
	}
	sort.Slice(pairs, func(i, j int) bool {
		a, _, _ := strings.Cut(pairs[i], "=")
		b, _, _ := strings.Cut(pairs[j], "=")
		return a < b
	})
	return strings.Join(pairs, "&")
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// Sign signs a text as Alipay.
func (k *Keys) Sign(text []byte) string {
	sum := sha256.Sum256(text)
	sig, err := rsa.SignPKCS1v15(rand.Reader, k.Alipay, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// SignForm signs the fields of a notification as Alipay and encodes them.
func (k *Keys) SignForm(fields url.Values) []byte {
	signed := url.Values{}
	for name, v := range fields {
		signed[name] = v
	}
	signed.Set("sign_type", "RSA2")
	signed.Set("sign", k.Sign([]byte(sorted(fields, "sign", "sign_type", "alipay_cert_sn"))))
	return []byte(signed.Encode())
}

// NaiveVerify is how several SDKs check a notification: whatever fields there are are sorted,
// joined and compared with the signature. It is what the gateway's check is measured against.
func (k *Keys) NaiveVerify(body []byte) bool {
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return false
	}
	sig, err := base64.StdEncoding.DecodeString(fields.Get("sign"))
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(sorted(fields, "sign", "sign_type", "alipay_cert_sn")))
	return rsa.VerifyPKCS1v15(&k.Alipay.PublicKey, crypto.SHA256, sum[:], sig) == nil
}

// signedByApp checks a request.
func (k *Keys) signedByApp(values url.Values) bool {
	sig, err := base64.StdEncoding.DecodeString(values.Get("sign"))
	sum := sha256.Sum256([]byte(sorted(values, "sign")))
	return err == nil && strings.Count(values.Encode(), "&") == len(values)-1 &&
		rsa.VerifyPKCS1v15(&k.App.PublicKey, crypto.SHA256, sum[:], sig) == nil
}
