package catalog_test

import (
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

func TestNewReportsAllThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := catalog.New(catalog.Config{})
	for _, part := range []string{"store", "tx", "outbox"} {
		if err == nil || !strings.Contains(err.Error(), "catalog/invalid_"+part) {
			t.Errorf("%s is missing, and the error is %v", part, err)
		}
	}
	a, b := memstore.New(), memstore.New()
	_, err = catalog.New(catalog.Config{Store: a.Catalog(), Tx: a, Outbox: b.Outbox()})
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) || hyperlocal.ReasonOf(err) != "tx/mixed_scopes" {
		t.Errorf("parts of two databases: %v", err)
	}
	s, err := catalog.New(catalog.Config{Store: a.Catalog(), Tx: a, Outbox: a.Outbox()})
	if err != nil || s.TxScope() != a.TxScope() {
		t.Errorf("parts of one database: %v", err)
	}
}

func TestTitleKey(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ß", 300)
	for title, want := range map[string]string{
		"Straße":        "strasse",
		"CAFE\u0301":    "café",
		"Ǆ":             "ǆ",
		"":              "",
		long:            strings.Repeat("s", 200),
		"a\U0010FFFFb":  "a\uFFFDb",
		"Πλατεία ΣΟΦΟΣ": "πλατεία σοφοσ",
	} {
		got := catalog.TitleKey(title)
		if got != want {
			t.Errorf("the key of %q is %q, want %q", title, got, want)
		}
		if again := catalog.TitleKey(got); again != got {
			t.Errorf("the key of the key %q is %q", got, again)
		}
		if end := catalog.TitleKeyEnd(got); end <= got || end <= got+"z" {
			t.Errorf("the end of %q is %q", got, end)
		}
	}
}
