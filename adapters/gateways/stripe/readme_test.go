package stripe_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe/stripetest"
)

var update = flag.Bool("update", false, "write the tables of README.md anew")

// TestReadme compares the tables of the README with the code.
func TestReadme(t *testing.T) {
	t.Parallel()
	const name = "README.md"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for table, rows := range map[string]string{"capabilities": capabilities(t), "exponents": exponents(), "codes": codes()} {
		begin, end := "<!-- "+table+" -->\n", "<!-- end -->"
		head, rest, ok := strings.Cut(want, begin)
		_, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no place for the table %s", name, table)
		}
		want = head + begin + rows + end + tail
	}
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("the tables of %s are out of date; run go test -run TestReadme -update", name)
	}
	if !strings.Contains(want, stripe.APIVersion) {
		t.Errorf("%s does not name the version %s", name, stripe.APIVersion)
	}
}

func capabilities(t *testing.T) string {
	can := open(t, stripetest.Start(t, stripetest.Config{})).Capabilities()
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	var b strings.Builder
	b.WriteString("| ability | |\n|---|---|\n")
	for _, v := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbAuthorize, hyperlocal.VerbCapture, hyperlocal.VerbVoid, hyperlocal.VerbRefund} {
		fmt.Fprintf(&b, "| %s | %s |\n", v, yes(can.Can(v)))
	}
	fmt.Fprintf(&b, "| capture of a part | %s |\n| several captures | %s |\n| refund of a part, several refunds | %s |\n",
		yes(can.PartialCapture), yes(can.MultiCapture), yes(can.PartialRefund))
	fmt.Fprintf(&b, "| methods shown | %s |\n| keys remembered for | %s |\n| currencies | %d |\n",
		strings.Join(can.Methods, ", "), strings.TrimSuffix(can.KeyLifetime.String(), "0m0s"), len(stripe.Currencies()))
	return b.String()
}

func exponents() string {
	var b strings.Builder
	b.WriteString("| currency | decimals in ISO 4217 | decimals at Stripe | multiples of |\n|---|---|---|---|\n")
	for _, r := range stripe.Rules() {
		iso, _ := r.Currency.Decimals()
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", r.Currency, iso, r.Decimals, r.Multiple)
	}
	return b.String()
}

func codes() string {
	byClass := map[hyperlocal.DeclineClass][]string{}
	for _, d := range stripe.Declines() {
		byClass[d.Class] = append(byClass[d.Class], "`"+d.Code+"`")
	}
	var b strings.Builder
	b.WriteString("| class | codes |\n|---|---|\n")
	for _, class := range []hyperlocal.DeclineClass{hyperlocal.DeclineHard, hyperlocal.DeclineSoft, hyperlocal.DeclineRateLimited,
		hyperlocal.DeclineProviderDown, hyperlocal.DeclineInvalid} {
		fmt.Fprintf(&b, "| %s | %s |\n", class, strings.Join(byClass[class], " "))
	}
	return b.String()
}

// TestDeclineTable looks at the table itself: sorted, once each, in classes that exist.
func TestDeclineTable(t *testing.T) {
	t.Parallel()
	last := ""
	for _, d := range stripe.Declines() {
		if d.Code <= last {
			t.Errorf("%s after %s", d.Code, last)
		}
		last = d.Code
		switch d.Class {
		case hyperlocal.DeclineHard, hyperlocal.DeclineSoft, hyperlocal.DeclineRateLimited, hyperlocal.DeclineProviderDown, hyperlocal.DeclineInvalid:
		default:
			t.Errorf("%s has class %q", d.Code, d.Class)
		}
	}
}
