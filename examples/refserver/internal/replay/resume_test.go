package replay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/retail"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// shop is a running application and a file to replay on it.
type shop struct {
	app   *app.App
	file  *retail.File
	plan  *retail.Plan
	clock *clock
}

func open(t *testing.T, rows string) *shop {
	t.Helper()
	s := &shop{clock: &clock{now: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)}}
	var err error
	if s.file, err = retail.Read(strings.NewReader("Invoice,StockCode,Description,Quantity,Price,Customer\n"+rows),
		retail.Options{Currency: "GBP"}); err != nil {
		t.Fatal(err)
	}
	if s.plan, err = retail.NewPlan(s.file); err != nil {
		t.Fatal(err)
	}
	if s.app, err = app.New(t.Context(), app.Config{
		Clock: s.clock, Policy: Policy(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.app.Run(ctx, func() { close(started) }) }()
	<-started
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, s.app.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// begin does what a run does that is killed behind the placement of its first order, and
// returns that order.
func (s *shop) begin(t *testing.T) order.Summary {
	t.Helper()
	r := &run{app: s.app, s: s.app.Services, file: s.file, plan: s.plan}
	if err := r.shelves(t.Context()); err != nil {
		t.Fatal(err)
	}
	placed, err := r.s.Orders.Place(t.Context(), r.placement(&s.plan.Orders[0]))
	if err != nil {
		t.Fatal(err)
	}
	return placed.Order
}

func (s *shop) replay(t *testing.T) *Report {
	t.Helper()
	r, err := Run(t.Context(), s.app, s.file, s.plan, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Clean() {
		t.Errorf("violated: %v", r.Invariants)
	}
	return r
}

// A replay that was stopped and goes on weeks later pays what still waits for its payment.
func TestResumePaysWhatWaits(t *testing.T) {
	t.Parallel()
	s := open(t, "1,10001,Mug,2,2.50,7\nC2,10001,Mug,-1,2.50,7\n")
	if at := s.begin(t).State; at != order.AwaitingPayment {
		t.Fatalf("the order is %s", at)
	}
	s.clock.advance(40 * 24 * time.Hour)
	if err := s.app.Drain(t.Context()); err != nil { // whatever is due
		t.Fatal(err)
	}
	r := s.replay(t)
	if len(r.Conflicts) > 0 || r.Orders != 1 || r.Sales.Amount() != 500 || r.RefundedToOrders.Amount() != 250 || r.UnitsLeft != 1 {
		t.Errorf("%+v", r)
	}
}

// A payment that a killed run has begun belongs to that run for a while. Then it is looked up,
// and made again if the gateway has never heard of it.
func TestResumeWaitsForAPaymentUnderWay(t *testing.T) {
	t.Parallel()
	s := open(t, "1,10001,Mug,2,2.50,7\n")
	o := s.begin(t)
	killed, err := app.Wire(s.app.DB, app.Wiring{Clock: s.clock, Policy: Policy()})
	if err != nil {
		t.Fatal(err)
	}
	defer killed.Close()
	if err := s.app.DB.WithinTx(t.Context(), func(ctx context.Context) error {
		_, err := killed.Orders.Pay(ctx, payment(o.ID, 1, s.plan.Orders[0].At)) // stores the attempt, and asks nobody
		return err
	}); err != nil {
		t.Fatal(err)
	}
	later := time.AfterFunc(200*time.Millisecond, func() { s.clock.advance(3 * time.Hour) })
	defer later.Stop()
	if r := s.replay(t); len(r.Conflicts) > 0 || r.Orders != 1 || r.Sales.Amount() != 500 {
		t.Errorf("%+v", r)
	}
}

// What a person was asked about, or what did not reach its customer, goes on as well.
func TestResumeGoesOnFromAnywhere(t *testing.T) {
	t.Parallel()
	for name, triggers := range map[string][]order.Trigger{
		"accepted":        {order.TriggerAccept},
		"needs attention": {order.TriggerAccept, order.TriggerAttend},
		"dispatched":      {order.TriggerAccept, order.TriggerReady, order.TriggerDispatch},
		"delivery failed": {order.TriggerAccept, order.TriggerReady, order.TriggerDispatch, order.TriggerDeliverFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, "1,10001,Mug,2,0.00,7\n")
			o := s.begin(t)
			for _, trigger := range triggers {
				s.do(t, o.ID, trigger)
			}
			if r := s.replay(t); len(r.Conflicts) > 0 || r.Orders != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func (s *shop) do(t *testing.T, id order.ID, trigger order.Trigger) {
	t.Helper()
	done, err := s.app.Orders.Do(t.Context(), order.Command{Tenant: Tenant, Actor: actor, Order: id, Trigger: trigger})
	if err != nil || done[0].Err != nil {
		t.Fatal(trigger, err, done)
	}
}

// An order that has ended without being completed sold nothing: it is a conflict, and so is
// what would be given back of it. The other documents go on.
func TestResumeListsWhatEndedOtherwise(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *shop, order.ID){
		"cancelled": func(t *testing.T, s *shop, id order.ID) {
			t.Helper()
			s.do(t, id, order.TriggerCancel)
		},
		"expired": func(t *testing.T, s *shop, id order.ID) {
			t.Helper()
			s.clock.advance(11 * 365 * 24 * time.Hour) // longer than a replay has patience
			if err := s.app.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, "1,10001,Mug,2,2.50,7\n2,10002,Cup,1,1.00,7\nC3,10001,Mug,-1,2.50,7\nC4,10002,Cup,-1,1.00,7\n")
			end(t, s, s.begin(t).ID)
			r := s.replay(t)
			want := []Conflict{{"1", "replay/ended_" + name}, {"C3", "replay/no_order"}}
			if len(r.Conflicts) != 2 || r.Conflicts[0] != want[0] || r.Conflicts[1] != want[1] {
				t.Errorf("conflicts %+v, want %+v", r.Conflicts, want)
			}
			if r.Orders != 1 || r.Credits != 1 || r.Sales.Amount() != 100 || r.Net.Amount() != 0 || r.Points != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

var _ hyperlocal.Clock = (*clock)(nil)

func TestImportRowFitsTheCatalogue(t *testing.T) {
	t.Parallel()
	row := importRow(retail.CodeInfo{Code: "10001", Title: "x" + strings.Repeat("é", catalog.MaxTitle)})
	if len(row.Title) != catalog.MaxTitle-1 || !strings.HasSuffix(row.Title, "é") {
		t.Errorf("a title of %d bytes: %q", len(row.Title), row.Title)
	}
}
