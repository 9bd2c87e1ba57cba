package wechatpaytest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"time"
)

// Ids of the one merchant that the double knows.
const (
	MerchantID     = "1900000109"
	AppID          = "wxd678efh567hg6787"
	MobileAppID    = "wx8888888888888888"
	MerchantSerial = "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
	APIv3Key       = "0123456789abcdefghijklmnopqrstuv"
)

// Keys are what merchant and provider sign with.
type Keys struct {
	Merchant    *rsa.PrivateKey
	Platform    *rsa.PrivateKey
	Serial      string // of the platform's certificate
	Certificate []byte // PEM
}

// NewKeys makes keys, and a platform certificate that is valid from yesterday for a year.
func NewKeys() (Keys, error) {
	merchant, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return Keys{}, err
	}
	platform, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return Keys{}, err
	}
	now := time.Now()
	text, serial, err := Certify(platform, now.Add(-24*time.Hour), now.Add(365*24*time.Hour))
	return Keys{Merchant: merchant, Platform: platform, Serial: serial, Certificate: text}, err
}

// Certify makes a certificate for a platform key with the given dates.
func Certify(platform *rsa.PrivateKey, from, to time.Time) (text []byte, serial string, err error) {
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 158))
	if err != nil {
		return nil, "", err
	}
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: "platform"}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &platform.PublicKey, platform)
	if err != nil {
		return nil, "", err
	}
	text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return text, strings.ToUpper(number.Text(16)), nil
}
