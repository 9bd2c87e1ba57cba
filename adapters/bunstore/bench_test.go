package bunstore

import (
	"context"
	"sync/atomic"
	"testing"
)

// BenchmarkPlacement places orders as far as this package knows them: claim the keys, lock a
// box, write it, a row per order and the events, complete the keys, commit.
func BenchmarkPlacement(b *testing.B) {
	for _, d := range dialects {
		b.Run(string(d), func(b *testing.B) {
			for name, c := range map[string]struct{ batch, callers int }{
				"one at a time": {1, 1}, "16 callers": {1, 16}, "batches of 50": {50, 2},
			} {
				b.Run(name, func(b *testing.B) {
					s, err := Open(b.Context(), dsnFor(b, d))
					if err != nil {
						b.Fatal(err)
					}
					defer s.Close()
					if err := s.Migrate(b.Context()); err != nil {
						b.Fatal(err)
					}
					for _, text := range []string{
						`CREATE TABLE hc_box (tenant text NOT NULL, id text NOT NULL, size bigint NOT NULL, PRIMARY KEY (tenant, id))`,
						`CREATE TABLE hc_thing (tenant text NOT NULL, id text NOT NULL, box text NOT NULL, label text, PRIMARY KEY (tenant, id))`,
					} {
						if _, err := s.change(b.Context(), text); err != nil {
							b.Fatal(err)
						}
					}
					if err := within(s, b.Context(), addBoxes("a")); err != nil {
						b.Fatal(err)
					}
					var left atomic.Int64
					left.Store(int64(b.N))
					b.ResetTimer()
					done := make(chan error)
					for range c.callers {
						go func() {
							for left.Add(-1) >= 0 {
								if err := placement(s, context.WithoutCancel(b.Context()), c.batch); err != nil {
									done <- err
									return
								}
							}
							done <- nil
						}()
					}
					for range c.callers {
						if err := <-done; err != nil {
							b.Error(err)
						}
					}
					b.ReportMetric(float64(b.N*c.batch)/b.Elapsed().Seconds(), "orders/s")
				})
			}
		})
	}
}
