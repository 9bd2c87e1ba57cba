package hyperlocal_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// The format is kept for ever with what was stored under it: this test spells it out.
func TestDigestFormat(t *testing.T) {
	t.Parallel()
	money, err := hyperlocal.NewMoney(-3, "GBP")
	if err != nil {
		t.Fatal(err)
	}
	d := hyperlocal.NewDigest("test/1")
	d.Text(1, "日")
	d.Int(2, 300)
	d.Flag(3, true)
	d.Time(4, time.Unix(0, 1999).In(time.FixedZone("", 3600)))
	d.Money(5, money)
	d.Quantity(6, hyperlocal.Pieces(0))
	d.Ref(7, hyperlocal.NewRef("k", "i"))
	d.External(8, hyperlocal.External{Source: "s", Reference: "r"})
	d.JSON(9, json.RawMessage(" {\"a\" :\t\"b  <\" }\n"))
	d.List(10, 2)
	d.Int(1, 1)
	d.End()
	d.End()
	want := "\x06test/1" + "\x01\x03日" + "\x02\xd8\x04" + "\x03\x02" + "\x04\x02" + "\x05\x05\x03GBP" + "\x06\x00\x05piece" +
		"\x07\x01k\x01i" + "\x08\x01s\x01r" + "\x09\x0c{\"a\":\"b  <\"}" + "\x0a\x02\x01\x02\x00\x00"
	sum := sha256.Sum256([]byte(want))
	if got := d.Sum(); got != hex.EncodeToString(sum[:]) {
		t.Errorf("got %s, want %x", got, sum)
	}
}

// A field that a later version adds must not change the fingerprints of requests that lack it.
func TestDigestLeavesOutWhatIsZero(t *testing.T) {
	t.Parallel()
	d := hyperlocal.NewDigest("test/1")
	before := d.Sum()
	d.Text(1, "")
	d.Int(2, 0)
	d.Flag(3, false)
	d.Time(4, time.Time{})
	d.Money(5, hyperlocal.Money{})
	d.Quantity(6, hyperlocal.Quantity{})
	d.Ref(7, hyperlocal.Ref{})
	d.External(8, hyperlocal.External{})
	d.JSON(9, nil)
	d.List(10, 0)
	if d.Sum() != before {
		t.Error("zero fields leave a trace")
	}
	if d.Text(1, "x"); d.Sum() == before {
		t.Error("a field leaves no trace")
	}
}
