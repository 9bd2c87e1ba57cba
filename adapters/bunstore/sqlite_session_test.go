package bunstore

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestFileRow(t *testing.T) {
	t.Parallel()
	r := &fileRow{values: []driver.Value{"a", int64(2), int64(1), nil, "{}", []byte("raw"), "bench", nil, "x"}}
	var (
		text    string
		number  int64
		truth   bool
		missing *string
		doc     json.RawMessage
		raw     []byte
		tenant  hyperlocal.TenantID
		none    []byte
		present *string
	)
	if err := r.Scan(&text, &number, &truth, &missing, &doc, &raw, &tenant, &none, &present); err != nil {
		t.Fatal(err)
	}
	if text != "a" || number != 2 || !truth || missing != nil || string(doc) != "{}" || string(raw) != "raw" || tenant != "bench" ||
		none != nil || present == nil || *present != "x" {
		t.Error(text, number, truth, missing, string(doc), string(raw), tenant, none, present)
	}
	if err := r.Scan(&text); err == nil {
		t.Error("a row of nine columns fits into one place")
	}
	if err := (&fileRow{values: []driver.Value{nil}}).Scan(&number); err == nil {
		t.Error("NULL was read as a number")
	}
}

// A statement that treats many rows is run row by row, told to the hook once, and stopped
// between two rows when the caller has left.
func TestRowByRowEndsWithItsContext(t *testing.T) {
	t.Parallel()
	var texts []string
	s := openStore(t, SQLite, WithQueryHook(func(text string) { texts = append(texts, text) }))
	keys := make([]hyperlocal.IdempotencyKey, 20)
	for i := range keys {
		keys[i] = hyperlocal.IdempotencyKey{Tenant: "a", Caller: "c", Route: "r", Key: string(rune('a' + i)), Fingerprint: "f"}
	}
	claim := func(ctx context.Context) error {
		return s.WithinTx(ctx, func(ctx context.Context) error {
			claims, err := s.Idempotency().Claim(ctx, keys)
			if i := slices.IndexFunc(claims, func(c hyperlocal.Claim) bool { return !c.Fresh }); err == nil && i >= 0 {
				t.Errorf("key %d is not fresh", i)
			}
			return err
		})
	}
	ctx, leave := context.WithCancel(t.Context())
	err := s.WithinTx(ctx, func(inside context.Context) error {
		rows := 0
		return s.queryEach(inside, idempotencyClaimAlone, keyRel(keys).text("fingerprint", repeat("f", len(keys))).
			textNull("result", repeat("", len(keys))).at("created_at", repeat(s.clock.Now(), len(keys))), func(row) error {
			if rows++; rows == 3 {
				leave()
			}
			if rows > 3 {
				t.Error("it went on")
			}
			return nil
		})
	})
	if hyperlocal.ReasonOf(err) != "tx/cancelled" {
		t.Errorf("got %v", err)
	}
	texts = nil
	if err := claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(texts); n != 3 || !strings.Contains(texts[1], "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING") {
		t.Errorf("%d statements: %q", n, texts)
	}
}
