package hyperlocal_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// sameJSON checks that what was appended behind a prefix is what the library writes.
func sameJSON(t rapid.TB, appended []byte, v any) {
	want, err := json.Marshal(v)
	if err != nil {
		t.Errorf("the library refuses %v: %v", v, err)
	}
	if string(appended) != "x"+string(want) {
		t.Errorf("%#v was appended as %s, want x%s", v, appended, want)
	}
}

// plainMoney and plainQuantity are written by reflection, as the independent opinion.
type plainMoney struct {
	Amount   int64               `json:"amount"`
	Currency hyperlocal.Currency `json:"currency"`
}

type plainQuantity struct {
	Value int64           `json:"value,string"`
	Unit  hyperlocal.Unit `json:"unit"`
}

func TestAppendedJSONIsWhatTheLibraryWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("az09 /<>&\"\\\n\x00\x7f\u2028é日\U0001f600")), 0, 8, -1),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) })).Draw(t, "text")
		prefix := []byte("x")
		sameJSON(t, hyperlocal.AppendJSONText(prefix, text), text)
		ref := hyperlocal.NewRef(text, "id"+text)
		sameJSON(t, ref.AppendJSON(prefix), ref)

		amount := rapid.Int64().Draw(t, "amount")
		money, err := hyperlocal.NewMoney(amount, rapid.SampledFrom([]hyperlocal.Currency{"GBP", "JPY", "KWD"}).Draw(t, "currency"))
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, money.AppendJSON(prefix), plainMoney{amount, money.Currency()})
		quantity, err := hyperlocal.NewQuantity(amount, rapid.SampledFrom([]hyperlocal.Unit{hyperlocal.Piece, hyperlocal.Gram}).Draw(t, "unit"))
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, quantity.AppendJSON(prefix), plainQuantity{amount, quantity.Unit()})

		at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond")).
			In(time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "zone")))
		got, err := hyperlocal.AppendJSONTime(prefix, at)
		if want, refused := json.Marshal(at); (err != nil) != (refused != nil) || err == nil && string(got) != "x"+string(want) {
			t.Errorf("%v was appended as %s, %v, want %s, %v", at, got, err, want, refused)
		}
	})
	sameJSON(t, hyperlocal.Money{}.AppendJSON([]byte("x")), nil)
	sameJSON(t, hyperlocal.Quantity{}.AppendJSON([]byte("x")), nil)
	sameJSON(t, hyperlocal.Ref{}.AppendJSON([]byte("x")), hyperlocal.Ref{})
	if _, err := hyperlocal.AppendJSONTime(nil, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
		t.Error("a year of five digits is written")
	}
}
