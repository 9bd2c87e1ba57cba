package cash_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// The table of the README is that of the code. HYPERLOCAL_UPDATE=1 writes it.
func TestReadme(t *testing.T) {
	t.Parallel()
	can := newTill(t).Capabilities()
	yes := map[bool]string{true: "yes", false: "no"}
	want := "| | |\n|---|---|\n"
	for _, v := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbAuthorize, hyperlocal.VerbCapture, hyperlocal.VerbVoid, hyperlocal.VerbRefund} {
		want += fmt.Sprintf("| %s | %s |\n", v, yes[can.Can(v)])
	}
	want += fmt.Sprintf("| partial capture | %s |\n| several captures | %s |\n| partial refund | %s |\n| methods | %s |\n",
		yes[can.PartialCapture], yes[can.MultiCapture], yes[can.PartialRefund], strings.Join(can.Methods, ", "))
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	const mark, end = "<!-- capabilities: compared with the code by TestReadme -->\n", "<!-- end -->"
	before, rest, _ := strings.Cut(string(raw), mark)
	table, after, found := strings.Cut(rest, end)
	if found && table == want {
		return
	}
	if os.Getenv("HYPERLOCAL_UPDATE") == "" {
		t.Fatalf("the README's table is not the code's: run this test with HYPERLOCAL_UPDATE=1\n%s", want)
	}
	if err := os.WriteFile("README.md", []byte(before+mark+want+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}
