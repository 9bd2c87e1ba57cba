package alipay_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
)

var numbers = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

func TestTradeNumber(t *testing.T) {
	t.Parallel()
	const id = "01935d2a-7b1c-7def-8123-456789abcdef"
	for key, readable := range map[string]bool{
		"intent/" + id + "/attempt/1/charge":        true,
		"intent/" + id + "/attempt/12345678/charge": true,
		"refund/" + id:                                true,
		"refund/" + id + "/2":                         true,
		"refund/" + id + "/02":                        false,
		"refund/" + id + "/":                          false,
		"intent/" + id + "/attempt/1/CHARGE":          false,
		"intent/" + id[1:] + "/attempt/1/charge":      false,
		"intent/x/attempt/1/charge":                   false,
		"any other key, with signs that Alipay hates": false,
		"": false,
	} {
		number := alipay.TradeNumber("shop", key)
		if !numbers.MatchString(number) {
			t.Errorf("%q: Alipay would not take %q", key, number)
		}
		got, ok := alipay.ParseTradeNumber("shop", number)
		if ok != readable || ok && got != key {
			t.Errorf("%q became %q became %q, %t", key, number, got, ok)
		}
		if _, ok := alipay.ParseTradeNumber("other", number); ok {
			t.Errorf("%q can be read by another tenant", number)
		}
		if number == alipay.TradeNumber("other", key) {
			t.Errorf("two tenants share %q", number)
		}
	}
}

// A number is read in its one form only: what an attacker makes up is nobody's.
func TestParseTradeNumberRefuses(t *testing.T) {
	t.Parallel()
	const id = "01935d2a7b1c7def8123456789abcdef"
	tag := alipay.TradeNumber("shop", "")[:9]
	for _, number := range []string{"", "_", tag, tag + "r", tag + "r" + id[1:], tag + "r" + id + "_", tag + "r" + id + "_02", tag + "r" + id + "_1_2",
		tag + "x" + id, tag + "i" + id, tag + "i" + id + "_1", tag + "i" + id + "_01_charge", tag + "i" + id + "_1_CHARGE",
		tag + "i" + id + "_1_charge_", tag + "r" + strings.ToUpper(id), strings.ToUpper(tag) + "r" + id} {
		if key, ok := alipay.ParseTradeNumber("shop", number); ok {
			t.Errorf("%q is read as %q", number, key)
		}
	}
	if _, ok := alipay.ParseTradeNumber("shop", tag+"r"+id); !ok {
		t.Error("a good one is refused")
	}
}

// Two keys never share a number, whatever a host makes up.
func TestTradeNumberIsInjective(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.OneOf(rapid.StringMatching(`[ -~]{1,128}`),
			rapid.StringMatching(`(intent/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/attempt/[0-9]{1,3}/[a-z]{4,9})|(refund/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(/[0-9]{1,2})?)`))
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		x, y := alipay.TradeNumber("shop", a), alipay.TradeNumber("shop", b)
		if (a == b) != (x == y) {
			t.Fatalf("%q and %q become %q and %q", a, b, x, y)
		}
		if !numbers.MatchString(x) {
			t.Fatalf("%q becomes %q", a, x)
		}
		if key, ok := alipay.ParseTradeNumber("shop", x); ok && key != a {
			t.Fatalf("%q becomes %q becomes %q", a, x, key)
		}
	})
}

func FuzzParseTradeNumber(f *testing.F) {
	f.Add(alipay.TradeNumber("shop", "refund/01935d2a-7b1c-7def-8123-456789abcdef"))
	f.Add("_")
	f.Fuzz(func(t *testing.T, number string) {
		if key, ok := alipay.ParseTradeNumber("shop", number); ok && alipay.TradeNumber(hyperlocal.TenantID("shop"), key) != number {
			t.Errorf("%q reads as %q, which is another number", number, key)
		}
	})
}
