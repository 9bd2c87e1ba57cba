package eventbus_test

import (
	"context"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

// BenchmarkEndToEnd measures events from the outbox through relay, transport, inbox and
// handler, one transaction per event or one per batch. One iteration is one event.
func BenchmarkEndToEnd(b *testing.B) {
	for _, s := range []struct {
		name string
		dsn  func(testing.TB) string
	}{{"memory", nil}, {"sqlite", dbtest.SQLite}, {"postgres", dbtest.Postgres}} {
		for _, many := range []bool{false, true} {
			name := s.name + "/single"
			if many {
				name = s.name + "/batch"
			}
			b.Run(name, func(b *testing.B) {
				p := memory(nil)
				if s.dsn != nil {
					p = open(b, s.dsn(b))
				}
				transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
				bus, err := eventbus.New(config(p, transport))
				if err != nil {
					b.Fatal(err)
				}
				if many {
					err = bus.HandleMany("bench", []string{"order.changed"}, func(context.Context, []hyperlocal.Envelope) error { return nil })
				} else {
					err = bus.Handle("bench", "order.changed", func(context.Context, hyperlocal.Envelope) error { return nil })
				}
				if err != nil {
					b.Fatal(err)
				}
				for start := 0; start < b.N; start += 500 {
					events := spread(min(500, b.N-start), 500)
					for i := range events {
						events[i].AggregateVersion = int64(start + 1)
					}
					err := p.tx.WithinTx(b.Context(), func(ctx context.Context) error { return p.outbox.Append(ctx, events...) })
					if err != nil {
						b.Fatal(err)
					}
				}
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error, 1)
				b.ResetTimer()
				go func() { done <- bus.Run(ctx) }()
				<-bus.Running()
				for {
					if idle, err := bus.Idle(ctx); err != nil || idle {
						break
					}
					time.Sleep(5 * time.Millisecond)
				}
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s") //nolint:forbidigo // a rate, not money
				cancel()
				<-done
				_ = transport.Close()
			})
		}
	}
}
