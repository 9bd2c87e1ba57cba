package hyperlocal_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		filter := map[string]string{"merchant": rapid.StringMatching(`[a-z]{0,8}`).Draw(t, "merchant")}
		key := rapid.SliceOfN(rapid.StringMatching(`[ -~äöü]{0,40}`), 1, 4).Draw(t, "key")
		text, err := hyperlocal.EncodeCursor(filter, key...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := hyperlocal.DecodeCursor(filter, text, len(key))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(got, "\x00") != strings.Join(key, "\x00") {
			t.Fatalf("decoded %q, want %q", got, key)
		}
		other := map[string]string{"merchant": filter["merchant"] + "x"}
		if _, err := hyperlocal.DecodeCursor(other, text, len(key)); !errors.Is(err, hyperlocal.ErrCursor) {
			t.Fatalf("a cursor of another filter: got %v, want ErrCursor", err)
		}
	})
}

func TestCursorRefusesDamage(t *testing.T) {
	t.Parallel()
	good, err := hyperlocal.EncodeCursor("f", "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"not base64":     "***",
		"not json":       "AAAA",
		"cut":            good[:len(good)-4],
		"too long":       strings.Repeat("A", 5000),
		"padding":        good + "==",
		"too few parts":  mustCursor(t, "f", "a"),
		"control bytes":  mustCursor(t, "f", "a\x00", "b"),
		"another filter": mustCursor(t, "g", "a", "b"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := hyperlocal.DecodeCursor("f", text, 2); !errors.Is(err, hyperlocal.ErrCursor) {
				t.Fatalf("got %v, want ErrCursor", err)
			}
		})
	}
	if key, err := hyperlocal.DecodeCursor("f", "", 2); err != nil || key != nil {
		t.Fatalf("the empty cursor: got %v, %v", key, err)
	}
}

func mustCursor(t *testing.T, filter any, key ...string) string {
	t.Helper()
	c, err := hyperlocal.EncodeCursor(filter, key...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPageSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ask, want int }{{0, 50}, {1, 1}, {200, 200}} {
		if got, err := (hyperlocal.PageRequest{Limit: c.ask}).Size(); err != nil || got != c.want {
			t.Errorf("limit %d: got %d, %v", c.ask, got, err)
		}
	}
	for _, bad := range []int{-1, 201, 1 << 30} {
		if _, err := (hyperlocal.PageRequest{Limit: bad}).Size(); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("limit %d: got %v, want invalid", bad, err)
		}
	}
}

func FuzzDecodeCursor(f *testing.F) {
	good, _ := hyperlocal.EncodeCursor("f", "a", "b")
	f.Add(good)
	f.Add("")
	f.Add("eyJ2IjoxfQ")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := hyperlocal.DecodeCursor("f", text, 2)
		if err != nil && !errors.Is(err, hyperlocal.ErrCursor) {
			t.Fatalf("got %v, want ErrCursor", err)
		}
		if err == nil && text != "" && len(key) != 2 {
			t.Fatalf("accepted %q with %d parts", text, len(key))
		}
	})
}
