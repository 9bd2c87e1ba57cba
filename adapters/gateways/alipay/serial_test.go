package alipay_test

import (
	"crypto/md5"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"testing"
)

// serial names a certificate the way Alipay does, for certificates of alipaytest: the parts of
// the issuer's name are written out here.
func serial(t testing.TB, text []byte) string {
	t.Helper()
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum([]byte("CN=" + c.Issuer.CommonName + ",O=Test,C=CN" + c.SerialNumber.String()))
	return hex.EncodeToString(sum[:])
}
