package loyalty_test

import (
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

func TestExpiry(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ expiry, from, want string }{
		{"1 day", "2026-02-28T23:59:59Z", "2026-03-01T23:59:59Z"},
		{"90 days", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"},
		{"1 month", "2026-01-31T12:00:00Z", "2026-02-28T12:00:00Z"},
		{"1 month", "2028-01-31T12:00:00Z", "2028-02-29T12:00:00Z"},
		{"1 month", "2026-02-28T12:00:00Z", "2026-03-28T12:00:00Z"},
		{"12 months", "2028-02-29T12:00:00Z", "2029-02-28T12:00:00Z"},
		{"13 months", "2026-12-31T12:00:00Z", "2028-01-31T12:00:00Z"},
		{"1 month", "2026-01-31T23:30:00-05:00", "2026-03-01T04:30:00Z"}, // in UTC it is 1 February
	} {
		e, err := loyalty.ParseExpiry(c.expiry)
		if err != nil {
			t.Errorf("%s: %v", c.expiry, err)
		} else if got := e.After(at(c.from)); !got.Equal(at(c.want)) {
			t.Errorf("%s after %s is %v, want %s", c.expiry, c.from, got, c.want)
		}
	}
	never, err := loyalty.ParseExpiry("never")
	if err != nil || !never.After(at("2026-01-01T00:00:00Z")).IsZero() || never != (loyalty.Expiry{}) {
		t.Errorf("never: %v, error %v", never, err)
	}
	for _, bad := range []string{
		"", "0 days", "1 days", "2 day", "1day", "1  day", " 1 day", "1 day ", "-1 days", "+1 day", "01 day", "1.5 days", "days",
		"1 week", "1 Months", "12 monthss", "1201 months", "36526 days", "99999999999999999999 days", "Never", "１ day", "1\tday",
	} {
		e, err := loyalty.ParseExpiry(bad)
		if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) || hyperlocal.ReasonOf(err) != "loyalty/invalid_expiry" || e != (loyalty.Expiry{}) {
			t.Errorf("%q: %v, error %v", bad, e, err)
		}
	}
}

func FuzzParseExpiry(f *testing.F) {
	for _, seed := range []string{"never", "1 day", "90 days", "12 months", "1 month", "0 days", "1 days"} {
		f.Add(seed, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		e, err := loyalty.ParseExpiry(text)
		if err != nil {
			return
		}
		if e.String() != text {
			t.Fatalf("%q is written %q", text, e.String())
		}
		from := time.Unix(unix%(1<<36), 0).UTC()
		if until := e.After(from); !until.IsZero() && !until.After(from) {
			t.Fatalf("%s after %v is %v", text, from, until)
		}
	})
}
