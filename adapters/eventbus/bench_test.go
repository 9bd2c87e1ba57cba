package eventbus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

var benchStores = []struct {
	name string
	dsn  func(testing.TB) string
}{{"memory", nil}, {"sqlite", dbtest.SQLite}, {"postgres", dbtest.Postgres}}

// orders returns what n orders that are confirmed at once emit: two events each, at the same
// version.
func orders(n int) []hyperlocal.Envelope {
	payload, err := json.Marshal(map[string]any{
		"order": "0193b1d2-7c1e-7d1a-9a54-0c5d8a1b2c3d", "shop": "0193b1d2-7c1e-7d1a-9a54-0c5d8a1b2c3e", "number": "A-1042",
		"total": map[string]any{"amount": 1999, "currency": "CNY"}, "lines": 2, "placed_at": "2026-03-01T12:00:00Z",
	})
	if err != nil {
		panic(err)
	}
	events := make([]hyperlocal.Envelope, 0, 2*n)
	for range n {
		placed := envelope(hyperlocal.RandomIDs{}.NewID(), 1, 1)
		placed.Payload, placed.Time = payload, time.Now()
		confirmed := placed
		confirmed.ID, confirmed.N = hyperlocal.RandomIDs{}.NewID(), 2
		events = append(events, placed, confirmed)
	}
	return events
}

// benchmarkBus returns a bus with one consumer, which handles events one by one or in batches,
// and what stops it.
func benchmarkBus(b *testing.B, p parts, many bool, effect func(ctx context.Context, events []hyperlocal.Envelope)) (bus *eventbus.Bus, start func() (stop func())) {
	b.Helper()
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	c := config(p, transport)
	c.Relay = eventbus.RelayConfig{}
	bus, err := eventbus.New(c)
	if err != nil {
		b.Fatal(err)
	}
	if many {
		err = bus.HandleMany("bench", []string{"order.changed"}, func(ctx context.Context, events []hyperlocal.Envelope) error {
			effect(ctx, events)
			return nil
		})
	} else {
		err = bus.Handle("bench", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
			effect(ctx, []hyperlocal.Envelope{e})
			return nil
		})
	}
	if err != nil {
		b.Fatal(err)
	}
	return bus, func() func() {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- bus.Run(ctx) }()
		<-bus.Running()
		return func() {
			cancel()
			<-done
			_ = transport.Close()
		}
	}
}

func benchmarkParts(b *testing.B, dsn func(testing.TB) string) parts {
	b.Helper()
	if dsn == nil {
		return memory(nil)
	}
	return open(b, dsn(b))
}

// BenchmarkBacklog measures a backlog of events from the outbox through relay, transport,
// inbox and handler until the effects are committed. One iteration is one event; give
// -benchtime 50000x.
func BenchmarkBacklog(b *testing.B) {
	for _, s := range benchStores {
		for _, many := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/many=%t", s.name, many), func(b *testing.B) {
				p := benchmarkParts(b, s.dsn)
				events := orders((b.N + 1) / 2)
				for chunk := range slices.Chunk(events, 1000) {
					err := p.tx.WithinTx(b.Context(), func(ctx context.Context) error { return p.outbox.Append(ctx, chunk...) })
					if err != nil {
						b.Fatal(err)
					}
				}
				var left atomic.Int64
				left.Store(int64(len(events)))
				done := make(chan struct{})
				_, start := benchmarkBus(b, p, many, func(ctx context.Context, events []hyperlocal.Envelope) {
					n := int64(len(events))
					hyperlocal.AfterCommit(ctx, func() {
						if left.Add(-n) == 0 {
							close(done)
						}
					})
				})
				b.ResetTimer()
				before := processTime()
				stop := start()
				<-done
				b.StopTimer()
				b.ReportMetric(float64(len(events))/b.Elapsed().Seconds(), "events/s")                               //nolint:forbidigo // a rate, not money
				b.ReportMetric(float64((processTime()-before).Microseconds())/float64(len(events)), "process-µs/op") //nolint:forbidigo // as above
				stop()
			})
		}
	}
}

// BenchmarkLatency measures the time from the commit of an order to the commit of the effect of
// its second event, at a steady 500 orders a second. One iteration is one order; give
// -benchtime 2000x.
func BenchmarkLatency(b *testing.B) {
	for _, s := range benchStores {
		for _, many := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/many=%t", s.name, many), func(b *testing.B) {
				p := benchmarkParts(b, s.dsn)
				var mu sync.Mutex
				var took []time.Duration
				committed := make(map[string]time.Time, b.N)
				all := make(chan struct{})
				note := func(id string, at time.Time) { // called at both commits; the later one is the effect
					mu.Lock()
					defer mu.Unlock()
					if first, ok := committed[id]; ok {
						took = append(took, at.Sub(first).Abs())
						if len(took) == b.N {
							close(all)
						}
						return
					}
					committed[id] = at
				}
				bus, start := benchmarkBus(b, p, many, func(ctx context.Context, events []hyperlocal.Envelope) {
					hyperlocal.AfterCommit(ctx, func() {
						at := time.Now()
						for _, e := range events {
							if e.N == 2 {
								note(e.ID, at)
							}
						}
					})
				})
				outbox := bus.Outbox(p.outbox)
				stop := start()
				defer stop()
				before := processTime()
				b.ResetTimer()
				tick := time.NewTicker(2 * time.Millisecond)
				defer tick.Stop()
				var orderers sync.WaitGroup
				for range b.N {
					<-tick.C
					orderers.Go(func() {
						events := orders(1)
						err := p.tx.WithinTx(b.Context(), func(ctx context.Context) error { return outbox.Append(ctx, events...) })
						if err != nil {
							b.Error(err)
							return
						}
						note(events[1].ID, time.Now())
					})
				}
				orderers.Wait()
				<-all
				b.StopTimer()
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")                     //nolint:forbidigo // not money
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")                //nolint:forbidigo // not money
				b.ReportMetric(float64((processTime()-before).Microseconds())/float64(b.N), "process-µs/op") //nolint:forbidigo // not money
			})
		}
	}
}

// processTime is the processor time that this process has used; the database's is not in it.
func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
