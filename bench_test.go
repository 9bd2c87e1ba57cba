package hyperlocal_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// told is an event that writes its own JSON, shipped one that leaves it to the library.
type told struct {
	Order  hyperlocal.Ref   `json:"order"`
	Amount hyperlocal.Money `json:"amount"`
}

func (told) EventName() string { return "order.told" }
func (told) EventVersion() int { return 1 }

func (e told) AppendJSON(b []byte) ([]byte, error) {
	b = e.Order.AppendJSON(append(b, `{"order":`...))
	b = e.Amount.AppendJSON(append(b, `,"amount":`...))
	return append(b, '}'), nil
}

// pure is one of the operations that everything else is made of, and how many allocations it
// may make.
type pure struct {
	name        string
	allocations float64
	do          func() error
}

func pures(t testing.TB) []pure {
	t.Helper()
	fine := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	money, err := hyperlocal.NewMoney(123_456, "GBP")
	fine(err)
	five := []hyperlocal.Money{money, money, money, money, money}
	rate := decimal.New(175, -3)
	text, err := json.Marshal(money)
	fine(err)
	quantity := hyperlocal.Pieces(1500)
	buffer := make([]byte, 0, 1024)
	var ids hyperlocal.RandomIDs
	id := ids.NewID()
	at := time.Date(2026, 3, 14, 15, 9, 26, 535_897_000, time.UTC)
	ctx, actor, order := t.Context(), hyperlocal.System("test"), hyperlocal.NewRef("order", id)
	var byAppending, byReflection hyperlocal.Event = &told{Order: order, Amount: money}, &shipped{Order: id}
	filter := struct{ Merchant, State string }{"bakery", "placed"}
	cursor, err := hyperlocal.EncodeCursor(filter, "2026-03-14T15:09:26Z", id)
	fine(err)
	return []pure{
		{"money add", 0, func() error { _, err := money.Add(money); return err }},
		{"money sum", 0, func() error { _, err := hyperlocal.Sum("GBP", five...); return err }},
		{"money times rate", 8, func() error { _, err := money.MulRate(rate, hyperlocal.RoundHalfEven); return err }},
		{"money parse", 0, func() error { _, err := hyperlocal.ParseMoney("1234.56", "GBP"); return err }},
		{"money append JSON", 0, func() error { buffer = money.AppendJSON(buffer[:0]); return nil }},
		{"money marshal JSON", 1, func() error { _, err := money.MarshalJSON(); return err }},
		{"money unmarshal JSON", 1, func() error { var m hyperlocal.Money; return m.UnmarshalJSON(text) }},
		{"line amount", 0, func() error {
			_, err := hyperlocal.LineAmount(money, quantity, quantity, hyperlocal.RoundHalfEven)
			return err
		}},
		{"allocate to three", 2, func() error { _, err := money.Allocate(1, 2, 3); return err }},
		{"split by seven", 2, func() error { _, err := money.Split(7); return err }},
		{"quantity append JSON", 0, func() error { buffer = quantity.AppendJSON(buffer[:0]); return nil }},
		{"reference append JSON", 0, func() error { buffer = order.AppendJSON(buffer[:0]); return nil }},
		{"time append JSON", 0, func() error { var err error; buffer, err = hyperlocal.AppendJSONTime(buffer[:0], at); return err }},
		{"id", 1, func() error { ids.NewID(); return nil }},
		{"letters", 1, func() error { ids.Letters(8, hyperlocal.UnambiguousAlphabet); return nil }},
		{"digest", 2, func() error {
			d := hyperlocal.NewDigest("test/1")
			d.Text(1, id)
			d.Money(2, money)
			d.Sum()
			return nil
		}},
		{"envelope", 2, func() error {
			_, err := hyperlocal.NewEnvelope(ctx, ids, at, "acme", actor, order, 1, 1, byAppending)
			return err
		}},
		{"envelope by reflection", 2, func() error {
			_, err := hyperlocal.NewEnvelope(ctx, ids, at, "acme", actor, order, 1, 1, byReflection)
			return err
		}},
		{"cursor encode", 10, func() error { _, err := hyperlocal.EncodeCursor(filter, "2026-03-14T15:09:26Z", id); return err }},
		{"cursor decode", 17, func() error { _, err := hyperlocal.DecodeCursor(filter, cursor, 2); return err }},
	}
}

func BenchmarkPure(b *testing.B) {
	for _, p := range pures(b) {
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := p.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
