package wechatpay

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// The tables of the README are those of the code. HYPERLOCAL_UPDATE=1 writes them.
func TestReadme(t *testing.T) {
	t.Parallel()
	g, err := New(Config{Accounts: func(hyperlocal.TenantID) (Account, bool) { return Account{}, false }})
	if err != nil {
		t.Fatal(err)
	}
	can := g.Capabilities()
	rows := []string{"| | |", "|---|---|"}
	add := func(format string, args ...any) { rows = append(rows, fmt.Sprintf(format, args...)) }
	for _, v := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbAuthorize, hyperlocal.VerbCapture, hyperlocal.VerbVoid, hyperlocal.VerbRefund} {
		add("| %s | %s |", v, yesNo(can.Can(v)))
	}
	add("| partial capture | %s |", yesNo(can.PartialCapture))
	add("| several captures | %s |", yesNo(can.MultiCapture))
	add("| partial refund | %s |", yesNo(can.PartialRefund))
	lifetime := "as long as the payment"
	if can.KeyLifetime > 0 {
		lifetime = can.KeyLifetime.String()
	}
	add("| keys are remembered for | %s |", lifetime)
	add("| methods | %s |", strings.Join(can.Methods, ", "))
	tables := map[string][]string{"<!-- capabilities: compared with the code by TestReadme -->": rows}

	rows = []string{"| currency | unit | decimals | differs from ISO 4217 |", "|---|---|---|---|"}
	for _, c := range slices.Sorted(maps.Keys(currencies)) {
		iso, _ := c.Decimals()
		add("| %s | fen | %d | %s |", c, currencies[c], yesNo(iso != currencies[c]))
	}
	tables["<!-- currencies -->"] = rows

	rows = []string{"| code | class |", "|---|---|"}
	codes := slices.Collect(maps.Keys(declines))
	slices.SortFunc(codes, func(a, b string) int {
		return strings.Compare(string(declines[a])+a, string(declines[b])+b)
	})
	for _, c := range codes {
		add("| %s | %s |", c, declines[c])
	}
	tables["<!-- declines -->"] = rows

	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for mark, rows := range tables {
		before, rest, found := strings.Cut(text, mark+"\n")
		table, after, ended := strings.Cut(rest, "<!-- end -->")
		want := strings.Join(rows, "\n") + "\n"
		if !found || !ended {
			t.Errorf("the README has no table at %s", mark)
		} else if table != want {
			if os.Getenv("HYPERLOCAL_UPDATE") == "" {
				t.Errorf("the README's table at %s is not the code's: run this test with HYPERLOCAL_UPDATE=1\n%s", mark, want)
			}
			text = before + mark + "\n" + want + "<!-- end -->" + after
		}
	}
	if os.Getenv("HYPERLOCAL_UPDATE") != "" {
		if err := os.WriteFile("README.md", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
