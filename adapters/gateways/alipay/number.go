package alipay

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// maxNumber is the length that Alipay allows for out_trade_no and out_request_no. They
// consist of letters, digits and underscores.
const maxNumber = 64

// fieldNumber is what Alipay calls the number of a trade.
const fieldNumber = "out_trade_no"

// TradeNumber returns the number that Alipay knows a request by: out_trade_no for the key of a
// charge, out_request_no for the key of a refund. It is the same whenever it is asked for, at
// most 64 letters, digits and underscores, and differs between tenants. Bills carry it.
//
// Keys as the payment service makes them can be read back with [ParseTradeNumber]; of any
// other key the number holds a hash.
func TradeNumber(tenant hyperlocal.TenantID, key string) string {
	return tagOf(tenant) + "_" + pack(key)
}

// ParseTradeNumber returns the key that a number was made from. It is false for a number that
// another system or tenant has made, and for one that holds a hash.
func ParseTradeNumber(tenant hyperlocal.TenantID, number string) (key string, ok bool) {
	tag, packed, found := strings.Cut(number, "_")
	if !found || tag != tagOf(tenant) {
		return "", false
	}
	return unpack(packed)
}

// ofAnotherTenant tells a number that this package made for somebody else.
func ofAnotherTenant(tenant hyperlocal.TenantID, number string) bool {
	tag, packed, found := strings.Cut(number, "_")
	if !found || len(tag) != tagLength || !isHex(tag) || tag == tagOf(tenant) {
		return false
	}
	_, readable := unpack(packed)
	return readable || len(packed) == 1+hashLength && packed[0] == 'h'
}

const (
	tagLength  = 8
	hashLength = 52 // of a SHA-256 in base 32
)

func tagOf(tenant hyperlocal.TenantID) string {
	sum := sha256.Sum256([]byte("hyperlocal/alipay/" + tenant))
	return hex.EncodeToString(sum[:tagLength/2])
}

// pack shortens the two forms of keys that the payment service makes:
//
//	intent/<uuid>/attempt/<n>/<verb>   i<32 hex digits>_<n>_<verb>
//	refund/<uuid>, refund/<uuid>/<n>   r<32 hex digits>, r<32 hex digits>_<n>
func pack(key string) string {
	parts := strings.Split(key, "/")
	switch {
	case len(parts) == 5 && parts[0] == "intent" && parts[2] == "attempt" && isUUID(parts[1]) && isCount(parts[3]) && isVerb(parts[4]):
		return "i" + strings.ReplaceAll(parts[1], "-", "") + "_" + parts[3] + "_" + parts[4]
	case len(parts) == 2 && parts[0] == "refund" && isUUID(parts[1]):
		return "r" + strings.ReplaceAll(parts[1], "-", "")
	case len(parts) == 3 && parts[0] == "refund" && isUUID(parts[1]) && isCount(parts[2]):
		return "r" + strings.ReplaceAll(parts[1], "-", "") + "_" + parts[2]
	}
	sum := sha256.Sum256([]byte(key))
	return "h" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]))
}

func unpack(packed string) (string, bool) {
	if len(packed) < 33 || !isHex(packed[1:33]) {
		return "", false
	}
	id := packed[1:9] + "-" + packed[9:13] + "-" + packed[13:17] + "-" + packed[17:21] + "-" + packed[21:33]
	key := ""
	rest := strings.Split(packed[33:], "_")
	switch {
	case packed[0] == 'i' && len(rest) == 3 && rest[0] == "":
		key = "intent/" + id + "/attempt/" + rest[1] + "/" + rest[2]
	case packed[0] == 'r' && len(rest) == 1 && rest[0] == "":
		key = "refund/" + id
	case packed[0] == 'r' && len(rest) == 2 && rest[0] == "":
		key = "refund/" + id + "/" + rest[1]
	}
	return key, key != "" && pack(key) == packed
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }

func isUUID(text string) bool {
	return len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' &&
		isHex(text[:8]) && isHex(text[9:13]) && isHex(text[14:18]) && isHex(text[19:23]) && isHex(text[24:])
}

func isCount(text string) bool {
	n, err := strconv.ParseUint(text, 10, 32)
	return err == nil && len(text) <= 9 && strconv.FormatUint(n, 10) == text
}

func isVerb(text string) bool {
	return text != "" && len(text) <= 9 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz") == ""
}

// isNumber reports whether Alipay would take the text for an out_trade_no.
func isNumber(text string) bool {
	if text == "" || len(text) > maxNumber {
		return false
	}
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return true
}

// bornAt reads the time in a UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds.
func bornAt(id string) (time.Time, bool) {
	if !isUUID(id) || id[14] != '7' {
		return time.Time{}, false
	}
	ms, err := strconv.ParseInt(id[:8]+id[9:13], 16, 64)
	return time.UnixMilli(ms), err == nil
}
