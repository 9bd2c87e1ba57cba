package order_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// repetitive draws every number several times.
type repetitive struct {
	hyperlocal.RandomIDs
	drawn int
}

func (r *repetitive) Letters(n int, alphabet string) string {
	letters := make([]byte, n)
	for i := range letters {
		letters[i] = alphabet[r.drawn/3]
	}
	r.drawn++
	return string(letters)
}

// settling counts how many keys are settled after their claim.
type settling struct {
	hyperlocal.Idempotency
	completed, freed int
}

func (s *settling) Complete(ctx context.Context, keys []hyperlocal.IdempotencyKey, results []json.RawMessage) error {
	s.completed += len(keys)
	return s.Idempotency.Complete(ctx, keys, results)
}

func (s *settling) Free(ctx context.Context, keys []hyperlocal.IdempotencyKey) error {
	s.freed += len(keys)
	return s.Idempotency.Free(ctx, keys)
}

// What a repetition is answered with is what was placed, also when the first number that was
// foreseen was taken, and it is written once.
func TestForeseenAnswers(t *testing.T) {
	t.Parallel()
	var keys settling
	shop, err := open(func(c *order.Config) {
		keys.Idempotency = c.Idempotency
		c.Idempotency, c.IDs = &keys, &repetitive{}
	})
	if err != nil {
		t.Fatal(err)
	}
	place := func(names ...string) []order.PlaceResult {
		t.Helper()
		batch := make([]order.PlaceCommand, len(names))
		for i, name := range names {
			if batch[i], err = loaves(4); err != nil {
				t.Fatal(err)
			}
			batch[i].Key = name
		}
		results, err := shop.PlaceMany(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	first, second := place("first")[0], place("second")[0]
	if first.Err != nil || second.Err != nil || first.Order.Number == second.Order.Number {
		t.Fatalf("got %+v and %+v", first, second)
	}
	if keys.completed != 0 || keys.freed != 0 {
		t.Errorf("%d keys were completed and %d freed, although the answers were foreseen", keys.completed, keys.freed)
	}
	again := place("second", "third", "first", "third") // ten loaves are on the shelf, eight are gone
	if !again[0].Replayed || again[0].Order != second.Order || !again[2].Replayed || again[2].Order != first.Order {
		t.Errorf("repeated, they are answered with %+v, want %+v and %+v", again, second, first)
	}
	for _, i := range []int{1, 3} {
		if !hyperlocal.IsCode(again[i].Err, hyperlocal.CodePrecondition) && !hyperlocal.IsCode(again[i].Err, hyperlocal.CodeExhausted) {
			t.Errorf("there was not enough, and the answer is %+v", again[i])
		}
	}
	if keys.completed != 0 || keys.freed != 1 {
		t.Errorf("of a refusal, %d keys were completed and %d freed", keys.completed, keys.freed)
	}
	stored, err := shop.Get(t.Context(), "demo", second.Order.ID)
	if err != nil || stored.Number != second.Order.Number || stored.State != second.Order.State || stored.Total != second.Order.Total {
		t.Errorf("stored is %+v, %v, foreseen was %+v", stored, err, second.Order)
	}
}
