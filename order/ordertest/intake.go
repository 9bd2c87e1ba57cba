package ordertest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// turnstile is a TxRunner that keeps the next transaction waiting while it is shut, so that
// what is asked for meanwhile comes together.
type turnstile struct {
	hyperlocal.TxRunner
	shut  atomic.Bool
	open  chan struct{}
	begun atomic.Int32
}

func (r *turnstile) TxScope() hyperlocal.Scope { return hyperlocal.ScopeOf(r.TxRunner) }

func (r *turnstile) WithinTx(ctx context.Context, fn func(context.Context) error) error {
	if !hyperlocal.InTx(ctx) {
		r.begun.Add(1)
		if r.shut.CompareAndSwap(true, false) {
			<-r.open
		}
	}
	return r.TxRunner.WithinTx(ctx, fn)
}

// readers is a Store that keeps the next read of orders waiting while it is shut.
type readers struct {
	order.Store
	shut  atomic.Bool
	open  chan struct{}
	reads atomic.Int32
}

func (r *readers) TxScope() hyperlocal.Scope { return hyperlocal.ScopeOf(r.Store) }

func (r *readers) Get(ctx context.Context, of hyperlocal.TenantID, ids ...order.ID) ([]order.Order, error) {
	r.reads.Add(1)
	if r.shut.CompareAndSwap(true, false) {
		<-r.open
	}
	return r.Store.Get(ctx, of, ids...)
}

// heard is an Outbox that remembers what it was given, committed or not.
type heard struct {
	hyperlocal.Outbox
	mu  sync.Mutex
	all []hyperlocal.Envelope
}

func (h *heard) TxScope() hyperlocal.Scope { return hyperlocal.ScopeOf(h.Outbox) }

func (h *heard) Append(ctx context.Context, envelopes ...hyperlocal.Envelope) error {
	h.mu.Lock()
	h.all = append(h.all, envelopes...)
	h.mu.Unlock()
	return h.Outbox.Append(ctx, envelopes...)
}

// gatherKit is a kit whose calls can be made to come together.
type gatherKit struct {
	*kit
	tx     *turnstile
	outbox *heard
}

func newGatherKit(t *testing.T, newHarness func(*testing.T) Harness) *gatherKit {
	g := &gatherKit{}
	g.kit = newKit(t, newHarness, func(c *order.Config) {
		g.tx = &turnstile{TxRunner: c.Tx, open: make(chan struct{})}
		g.outbox = &heard{Outbox: c.Outbox}
		c.Tx, c.Outbox = g.tx, g.outbox
		c.Intake = &order.Intake{Gather: hyperlocal.GatherConfig{Committers: 1, Wait: time.Microsecond}}
	})
	return g
}

// asOne starts the calls one after the other while the committer of their kind is held up by
// first, and returns how many transactions they took.
func (g *gatherKit) asOne(first func(), calls ...func()) int32 {
	var wg sync.WaitGroup
	g.tx.shut.Store(true)
	wg.Go(first)
	for g.tx.shut.Load() {
		time.Sleep(time.Millisecond)
	}
	before := g.tx.begun.Load()
	for _, call := range calls {
		wg.Go(call)
		time.Sleep(5 * time.Millisecond) // time to line up, in this order
	}
	g.tx.open <- struct{}{}
	wg.Wait()
	return g.tx.begun.Load() - before
}

func (g *gatherKit) placing(c order.PlaceCommand, r *order.PlaceResult, err *error) func() {
	return func() { *r, *err = g.s.Place(g.t.Context(), c) }
}

func (g *gatherKit) bystander() func() {
	return func() { g.place(apples(1)) }
}

func testIntake(t *testing.T, newHarness func(*testing.T) Harness) {
	t.Run("placements share a transaction, and nothing else", func(t *testing.T) {
		g := newGatherKit(t, newHarness)
		var results [4]order.PlaceResult
		var errs [4]error
		calls := make([]func(), 4)
		for i := range calls {
			c := apples(1)
			switch i {
			case 1:
				c = apples(1000) // more than there are
			case 2:
				c.Customer = hyperlocal.NewRef("customer", "bob")
				c.Actor = hyperlocal.Actor{Kind: order.ActorShopper, ID: "bob"}
			case 3:
				c.Currency = "" // wrong
			}
			ctx := hyperlocal.ContextWithCause(t.Context(), hyperlocal.Cause{Correlation: "call", TraceParent: string(rune('a' + i))})
			calls[i] = func() { results[i], errs[i] = g.s.Place(ctx, c) }
		}
		if n := g.asOne(g.bystander(), calls...); n != 1 {
			t.Errorf("%d transactions, want 1", n)
		}
		if errs[0] != nil || errs[2] != nil {
			t.Fatal(errs)
		}
		wantReason(t, errs[1], ErrNoStock)
		wantCode(t, errs[3], hyperlocal.CodeInvalid)
		for _, i := range []int{0, 2} {
			want := results[i].Order.ID.Ref()
			for _, e := range g.outbox.all {
				if e.Aggregate == want && (e.TraceParent != string(rune('a'+i)) || e.Correlation != "call") {
					t.Errorf("the event %s of call %d tells another cause: %+v", e.Name, i, e)
				}
			}
			if id := g.history(results[i].Order.ID)[0].Actor.ID; id != []string{"ann", "", "bob"}[i] {
				t.Errorf("order %d was placed by %q", i, id)
			}
		}
	})
	t.Run("one key at the same time", func(t *testing.T) {
		g := newGatherKit(t, newHarness)
		var results [3]order.PlaceResult
		var errs [3]error
		c := apples(1)
		c.Key = "same"
		other := apples(2)
		other.Key = "same"
		g.asOne(g.bystander(), g.placing(c, &results[0], &errs[0]), g.placing(c, &results[1], &errs[1]), g.placing(other, &results[2], &errs[2]))
		if errs[0] != nil || errs[1] != nil || results[0].Order.ID != results[1].Order.ID || results[0].Replayed || !results[1].Replayed {
			t.Errorf("got %+v and %+v, %v", results[0], results[1], errs)
		}
		wantReason(t, errs[2], hyperlocal.ErrKeyReused)
		g.wantStock(100, 2)
	})
	t.Run("a key that was refused is free for the next", func(t *testing.T) {
		g := newGatherKit(t, newHarness)
		var results [2]order.PlaceResult
		var errs [2]error
		c, less := apples(1000), apples(2)
		c.Key, less.Key = "same", "same"
		g.asOne(g.bystander(), g.placing(c, &results[0], &errs[0]), g.placing(less, &results[1], &errs[1]))
		wantReason(t, errs[0], ErrNoStock)
		noError(t, errs[1])
		if results[1].Replayed {
			t.Error("the second is no repetition")
		}
	})
	t.Run("commands on one order take turns", func(t *testing.T) {
		g := newGatherKit(t, newHarness)
		ids := make([]order.ID, 3)
		for i := range ids {
			c := apples(1)
			c.PayLater = true
			ids[i] = g.place(c)
		}
		version := g.get(ids[0]).Version
		var results [3]order.CommandResult
		var errs [3]error
		accept := func(i int, id order.ID, version int64) func() {
			return func() {
				results[i], errs[i] = g.s.Accept(t.Context(), order.Command{Tenant: tenant, Actor: merchant, Order: id, Version: version})
			}
		}
		n := g.asOne(func() { g.fire(ids[2], order.TriggerAccept) },
			accept(0, ids[0], version), func() {
				results[1], errs[1] = g.s.Prepare(t.Context(), order.Command{Tenant: tenant, Actor: merchant, Order: ids[0], Version: version})
			}, accept(2, ids[1], 0))
		noError(t, errs[0])
		noError(t, errs[2])
		wantReason(t, errs[1], order.ErrStale) // the first has changed the version that it names
		if n != 2 {
			t.Errorf("%d transactions, want 2", n)
		}
		g.want(ids[0], order.Accepted, order.PaymentNoneDue)
	})
	t.Run("payments share a transaction, and a refused one is nobody else's", func(t *testing.T) {
		g := newGatherKit(t, newHarness)
		ids := []order.ID{g.place(apples(1)), g.place(apples(1)), g.place(apples(1)), g.place(apples(1))}
		no := hyperlocal.NewError(hyperlocal.CodeInvalid, "payment/card", "no such method")
		g.payments.Refuse = func(c hyperlocal.PaymentCommand) error {
			if c.Method == "bad" {
				return no
			}
			return nil
		}
		var results [5]order.PayResult
		var errs [5]error
		pay := func(i int, id order.ID, method, key string) func() {
			return func() {
				results[i], errs[i] = g.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Method: method, Key: key})
			}
		}
		before := g.get(ids[1])
		g.asOne(pay(0, ids[0], "", ""), pay(1, ids[1], "bad", "k1"), pay(2, ids[2], "", "k2"), pay(3, ids[3], "", "k3"), pay(4, ids[3], "", "k4"))
		for _, i := range []int{0, 2, 3} {
			noError(t, errs[i])
			if results[i].Outcome != hyperlocal.OutcomeSucceeded || results[i].Order.PaymentStatus != order.PaymentPaid {
				t.Errorf("payment %d: %+v", i, results[i])
			}
		}
		wantReason(t, errs[1], no)
		if after := g.get(ids[1]); after.Version != before.Version || after.PaymentStatus != before.PaymentStatus || after.Attempts != 0 {
			t.Errorf("the refused payment changed its order: %+v", after)
		}
		if len(g.history(ids[1])) != 1 {
			t.Error("the refused payment is in the history")
		}
		if !errors.Is(errs[4], order.ErrPaymentUnderWay) && !errors.Is(errs[4], order.ErrNothingDue) {
			t.Errorf("the second payment of an order: %v", errs[4])
		}
		pay(1, ids[1], "good", "k1")() // its key is free
		noError(t, errs[1])
		pay(2, ids[2], "", "k2")()
		noError(t, errs[2])
		if !results[2].Replayed || results[2].Outcome != hyperlocal.OutcomeSucceeded {
			t.Errorf("the repeated payment: %+v", results[2])
		}
	})
	t.Run("orders are read together, each for its own reader", func(t *testing.T) {
		var store *readers
		k := newKit(t, newHarness, func(c *order.Config) {
			store = &readers{Store: c.Store, open: make(chan struct{})}
			c.Store = store
			c.Intake = &order.Intake{Gather: hyperlocal.GatherConfig{Committers: 1}}
		})
		ids := []order.ID{k.place(apples(1)), k.place(apples(2)), k.place(apples(3))}
		var wg sync.WaitGroup
		ask := func(of hyperlocal.TenantID, id order.ID, check func(o order.Order, err error)) {
			wg.Go(func() { check(k.s.Get(t.Context(), of, id)) })
		}
		store.shut.Store(true)
		ask(tenant, ids[0], func(_ order.Order, err error) { noError(t, err) })
		for store.shut.Load() {
			time.Sleep(time.Millisecond)
		}
		store.reads.Store(0)
		twice := make(chan order.Order, 2)
		for range 2 {
			ask(tenant, ids[0], func(o order.Order, err error) { noError(t, err); twice <- o })
		}
		for n, id := range ids[1:] {
			ask(tenant, id, func(o order.Order, err error) {
				noError(t, err)
				if o.ID != id || len(o.Lines) != 1 || o.Lines[0].Quantity != hyperlocal.Pieces(int64(n+2)) {
					t.Errorf("asked for %s, got %+v", id, o)
				}
			})
		}
		for _, of := range []hyperlocal.TenantID{"other", tenant} {
			id := ids[0]
			if of == tenant {
				id = order.ID(hyperlocal.RandomIDs{}.NewID())
			}
			ask(of, id, func(_ order.Order, err error) { wantReason(t, err, order.ErrNotFound) })
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := k.s.Get(gone, tenant, ids[0]); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			t.Errorf("whoever has left gets %v", err)
		}
		time.Sleep(20 * time.Millisecond) // time to line up
		store.open <- struct{}{}
		wg.Wait()
		if n := store.reads.Load(); n > 2 { // one for each tenant
			t.Errorf("%d reads for 6 readers", n)
		}
		a, b := <-twice, <-twice
		a.Lines[0].Title = "mine"
		if b.Lines[0].Title == "mine" {
			t.Error("two readers share one order")
		}
		noError(t, k.s.Close(t.Context()))
		_, err := k.s.Get(t.Context(), tenant, ids[0]) // reads go on
		noError(t, err)
	})
	t.Run("inside a transaction nothing is gathered", func(t *testing.T) {
		g := newGatherKit(t, newHarness)
		noError(t, g.s.Close(t.Context()))
		within(t, g.Tx, func(ctx context.Context) error {
			_, err := g.s.Place(ctx, apples(1))
			return err
		})
		if _, err := g.s.Place(t.Context(), apples(1)); !errors.Is(err, hyperlocal.ErrGatherClosed) {
			t.Errorf("after Close: %v", err)
		}
		_, err := g.s.PlaceMany(t.Context(), []order.PlaceCommand{apples(1), apples(1)})
		noError(t, err)
	})
	t.Run("who leaves while being committed can ask again", func(t *testing.T) {
		g := newGatherKit(t, newHarness)
		ctx, leave := context.WithCancel(t.Context())
		c := apples(1)
		c.Key = "mine"
		var err error
		g.tx.shut.Store(true)
		gone := make(chan struct{})
		go func() {
			_, err = g.s.Place(ctx, c)
			close(gone)
		}()
		for g.tx.shut.Load() {
			time.Sleep(time.Millisecond)
		}
		leave()
		<-gone
		wantCode(t, err, hyperlocal.CodeUnknownOutcome)
		g.tx.open <- struct{}{}
		r, err := g.s.Place(t.Context(), c)
		noError(t, err)
		if !r.Replayed {
			t.Error("the order was placed twice")
		}
		g.wantStock(100, 1)
	})
}
