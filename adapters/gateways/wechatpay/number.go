package wechatpay

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Our numbers at WeChat Pay. An order's (out_trade_no, 6 to 32 characters) is a digest of
// tenant and key, and the key itself travels as the order's attach, which comes back with every
// query and notification. A refund has no attach, and its number (out_refund_no, up to 64) is
// the key, with the slashes turned into underscores, and a digest:
//
//	refund/0190b0a4-...  ->  refund_0190b0a4-..._k3v2a7yq5n2mzd4t
//
// Two tenants may share an account: the digest tells whose a number is.
const (
	numberPrefix = "hl"
	tagLength    = 16
	maxRefundNo  = 64
	maxKey       = 128
)

// orderNumber is the out_trade_no of a key.
func orderNumber(tenant hyperlocal.TenantID, key string) string {
	return numberPrefix + digest(tenant, key, 32-len(numberPrefix))
}

// refundNumber is the out_refund_no of a key. A key that does not fit is replaced by its
// digest; notifications about it cannot be told from those about other people's refunds and
// are left to the lookup. Those that the payment context makes always fit.
func refundNumber(tenant hyperlocal.TenantID, key string) string {
	if len(key)+1+tagLength > maxRefundNo || !consistsOf(key, 1, maxRefundNo, letters+digits+"-/") {
		return orderNumber(tenant, key)
	}
	return strings.ReplaceAll(key, "/", "_") + "_" + digest(tenant, key, tagLength)
}

// refundKey is the key that a refund's number was made from. ok is false for a number that is
// not one of ours; foreign, for one that was made for another tenant.
func refundKey(tenant hyperlocal.TenantID, number string) (key string, ok, foreign bool) {
	at := len(number) - tagLength - 1
	if at < 1 || number[at] != '_' || !strings.HasPrefix(number, "refund_") {
		return "", false, false
	}
	key = strings.ReplaceAll(number[:at], "_", "/")
	if refundNumber(tenant, key) != number {
		return "", false, true
	}
	return key, true, false
}

// isOrderNumber reports whether a number looks like one of orderNumber's.
func isOrderNumber(number string) bool {
	return strings.HasPrefix(number, numberPrefix) && consistsOf(number, 32, 32, "abcdefghijklmnopqrstuvwxyz234567")
}

func digest(tenant hyperlocal.TenantID, key string, length int) string {
	sum := sha256.Sum256([]byte(string(tenant) + "\x00" + key))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:length]
}

func goodKey(key string) bool {
	return key != "" && len(key) <= maxKey && printable(key)
}

// printable reports whether text is ASCII without spaces and control characters.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < 0x21 || r > 0x7e })
}
