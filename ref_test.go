package hyperlocal_test

import (
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestRefTextRoundTrip(t *testing.T) {
	t.Parallel()
	for _, r := range []hyperlocal.Ref{
		{},
		hyperlocal.NewRef("order", "0190a1b2-0000-7000-8000-000000000000"),
		hyperlocal.NewRef("customer", "a/b/c"), // only the first slash separates
		hyperlocal.NewRef("customer", "žluťoučký"),
	} {
		got, err := hyperlocal.ParseRef(r.String())
		if err != nil || got != r {
			t.Errorf("%q: got %v, %v", r.String(), got, err)
		}
	}
}

func TestBadTextIsRefused(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 1<<20)
	for name, err := range map[string]error{
		"ref without slash":    second(hyperlocal.ParseRef("order")),
		"ref without id":       second(hyperlocal.ParseRef("order/")),
		"ref without kind":     second(hyperlocal.ParseRef("/1")),
		"ref with NUL":         hyperlocal.NewRef("order", "a\x00b").Validate(),
		"ref of 1 MB":          hyperlocal.NewRef("order", big).Validate(),
		"ref not UTF-8":        hyperlocal.NewRef("order", "\xff").Validate(),
		"external half":        hyperlocal.External{Source: "pos"}.Validate(),
		"external NUL":         hyperlocal.External{Source: "pos", Reference: "\x00"}.Validate(),
		"external 1 MB":        hyperlocal.External{Source: "pos", Reference: big}.Validate(),
		"tenant empty":         hyperlocal.TenantID("").Validate(),
		"tenant upper":         hyperlocal.TenantID("Acme").Validate(),
		"tenant long":          hyperlocal.TenantID(strings.Repeat("a", 65)).Validate(),
		"actor without id":     hyperlocal.Actor{Kind: "admin"}.Validate(),
		"key with NUL":         hyperlocal.IdempotencyKey{Tenant: "t", Key: "a\x00"}.Validate(),
		"key too long":         hyperlocal.IdempotencyKey{Tenant: "t", Key: strings.Repeat("k", 256)}.Validate(),
		"key without a tenant": hyperlocal.IdempotencyKey{Key: "k"}.Validate(),
	} {
		if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("%s: got %v, want code invalid", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
