package order_test

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// BenchmarkPlaceMany places batches of a hundred orders in memory: what the service itself
// costs, without a database.
func BenchmarkPlaceMany(b *testing.B) {
	shop, err := open()
	if err != nil {
		b.Fatal(err)
	}
	c, err := loaves(2)
	if err != nil {
		b.Fatal(err)
	}
	c.Lines[0].Item, c.Lines[0].Location = "", "" // the stand-in for inventory is not made for speed
	batch := make([]order.PlaceCommand, 100)
	for i := range batch {
		batch[i] = c
	}
	b.ReportAllocs()
	for b.Loop() {
		results, err := shop.PlaceMany(b.Context(), batch)
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range results {
			if r.Err != nil {
				b.Fatal(r.Err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batch)), "ns/order")
}
