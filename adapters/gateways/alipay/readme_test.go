package alipay_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
)

// The README's tables are those of the code. On a difference the test prints the right one.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"capabilities": capabilityTable(), "codes": codeTable()} {
		_, rest, found := strings.Cut(string(text), "<!-- "+name+" -->\n\n")
		got, _, _ := strings.Cut(rest, "\n\n")
		if !found || strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("put this under <!-- %s -->:\n\n%s", name, want)
		}
	}
}

func capabilityTable() string {
	g, err := alipay.New(alipay.Config{Accounts: func(hyperlocal.TenantID) (alipay.Account, bool) { return alipay.Account{}, false }})
	if err != nil {
		panic(err)
	}
	can := g.Capabilities()
	yes := map[bool]string{true: "yes", false: "no"}
	b := "| ability | |\n|---|---|\n"
	for _, v := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbAuthorize, hyperlocal.VerbCapture,
		hyperlocal.VerbVoid, hyperlocal.VerbRefund} {
		b += fmt.Sprintf("| %s | %s |\n", v, yes[can.Can(v)])
	}
	b += fmt.Sprintf("| partial capture | %s |\n| several captures | %s |\n| partial and several refunds | %s |\n",
		yes[can.PartialCapture], yes[can.MultiCapture], yes[can.PartialRefund])
	b += fmt.Sprintf("| methods | %s |\n", "`"+strings.Join(can.Methods, "`, `")+"`")
	if can.KeyLifetime != 0 {
		return b + fmt.Sprintf("| keys are remembered | %v |\n", can.KeyLifetime)
	}
	return b + "| keys are remembered | as long as the trade |\n"
}

func codeTable() string {
	b := "| code | class | meaning |\n|---|---|---|\n"
	for _, c := range alipay.Codes() {
		b += fmt.Sprintf("| %#q | %s | %s |\n", c.Code, c.Class, c.About)
	}
	return b
}

// Every code has a class that the payment service knows, once.
func TestCodes(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, c := range alipay.Codes() {
		switch c.Class {
		case hyperlocal.DeclineHard, hyperlocal.DeclineSoft, hyperlocal.DeclineInvalid, hyperlocal.DeclineRateLimited:
		default:
			t.Errorf("%s has the class %q", c.Code, c.Class)
		}
		if seen[c.Code] || c.About == "" || strings.Contains(c.Code, "SYSTEM_ERROR") || c.Code == "20000" {
			t.Errorf("%s: twice, without words, or not a decline", c.Code)
		}
		seen[c.Code] = true
	}
}
