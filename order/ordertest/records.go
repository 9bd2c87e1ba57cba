package ordertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// errFull is what a writer says that takes so much and no more.
var errFull = errors.New("the disk is full")

type smallDisk struct {
	bytes.Buffer
	left int
}

func (d *smallDisk) Write(p []byte) (int, error) {
	if d.left--; d.left < 0 {
		return 0, errFull
	}
	return d.Buffer.Write(p)
}

func testRecords(t *testing.T, newHarness func(*testing.T) Harness) {
	t.Run("export", func(t *testing.T) {
		k := newKit(t, newHarness)
		k.stock.Put(tenant, "apple", "shop", 1000)
		var commands []order.PlaceCommand
		for range hyperlocal.MaxPageLimit + 5 {
			c := apples(1)
			c.Contact, c.PayLater = &order.Contact{Name: "Ann"}, true
			commands = append(commands, c)
		}
		results, err := k.s.PlaceMany(t.Context(), commands)
		noError(t, err)
		k.fire(results[0].Order.ID, order.TriggerAccept)
		_, err = k.refund(order.RefundCommand{Order: results[0].Order.ID, Amount: gbp(0), Items: pieces(1, 1, true)})
		noError(t, err)

		// The first attempt breaks on the second page, and the second goes on there.
		disk := &smallDisk{left: hyperlocal.MaxPageLimit + 2}
		next, err := k.s.Export(t.Context(), disk, tenant, "")
		if !errors.Is(err, errFull) || next == "" {
			t.Fatalf("got %q, %v", next, err)
		}
		seen := make(map[order.ID]order.Exported)
		read := func(text string) {
			for line := range strings.Lines(text) {
				var e order.Exported
				noError(t, json.Unmarshal([]byte(line), &e))
				seen[e.Order.ID] = e
			}
		}
		read(disk.String())
		var rest bytes.Buffer
		next, err = k.s.Export(t.Context(), &rest, tenant, next)
		noError(t, err)
		read(rest.String())
		if next != "" || len(seen) != len(commands) {
			t.Fatalf("%d orders, next %q", len(seen), next)
		}
		e := seen[results[0].Order.ID]
		if e.Order.Contact == nil || len(e.Order.Lines) != 1 || len(e.Refunds) != 1 || len(e.History) != 4 {
			t.Fatalf("got %+v", e)
		}
		var none bytes.Buffer
		if _, err := k.s.Export(t.Context(), &none, other, ""); err != nil || none.Len() != 0 {
			t.Fatalf("another tenant exports %d bytes, %v", none.Len(), err)
		}
	})
	t.Run("erasure", func(t *testing.T) {
		k := newKit(t, newHarness)
		if _, ok := k.Store.(order.Eraser); !ok {
			_, err := k.s.Erase(t.Context(), tenant, ann)
			wantReason(t, err, order.ErrNotErasable)
			return
		}
		c := apples(1)
		c.Contact, c.Note = &order.Contact{Name: "Ann"}, "Ring twice"
		id := k.place(c)
		before := k.get(id)
		n, err := k.s.Erase(t.Context(), tenant, ann)
		noError(t, err)
		o := k.get(id)
		if n != 1 || o.Contact != nil || o.Note != "" || o.Total != before.Total || o.Version != before.Version {
			t.Fatalf("%d erased, %+v is left", n, o)
		}
		k.pay(id) // it goes on
		k.want(id, order.Confirmed, order.PaymentPaid)
		_, err = k.s.Erase(t.Context(), tenant, hyperlocal.Ref{})
		wantCode(t, err, hyperlocal.CodeInvalid)
	})
	t.Run("bad questions", func(t *testing.T) {
		k := newKit(t, newHarness)
		ctx := t.Context()
		_, listErr := k.s.List(ctx, "", order.Filter{}, hyperlocal.PageRequest{})
		_, filterErr := k.s.List(ctx, tenant, order.Filter{External: hyperlocal.External{Source: "till"}}, hyperlocal.PageRequest{})
		_, historyErr := k.s.History(ctx, tenant, "nonsense", hyperlocal.PageRequest{})
		_, creditErr := k.s.GetCredit(ctx, tenant, "nonsense")
		_, exportErr := k.s.Export(ctx, &bytes.Buffer{}, tenant, "nonsense")
		for what, got := range map[string]struct {
			err  error
			code hyperlocal.Code
		}{
			"a list of nobody":             {listErr, hyperlocal.CodeInvalid},
			"a filter by half a reference": {filterErr, hyperlocal.CodeInvalid},
			"a history of nothing":         {historyErr, hyperlocal.CodeNotFound},
			"a credit that is none":        {creditErr, hyperlocal.CodeNotFound},
			"an export from nowhere":       {exportErr, hyperlocal.CodeInvalid},
		} {
			if !hyperlocal.IsCode(got.err, got.code) {
				t.Errorf("%s: got %v, want %s", what, got.err, got.code)
			}
		}
	})
	t.Run("events", func(t *testing.T) { testEvents(t, newHarness) })
}

// spool is an outbox that also remembers what went through it.
type spool struct {
	hyperlocal.Outbox
	s staged[[]hyperlocal.Envelope]
}

func (s *spool) Append(ctx context.Context, all ...hyperlocal.Envelope) error {
	s.s.change(ctx, func(v *[]hyperlocal.Envelope) { *v = append(*v, all...) })
	return s.Outbox.Append(ctx, all...)
}

// testEvents: every change tells, in order, with ids and amounts and nothing personal.
func testEvents(t *testing.T, newHarness func(*testing.T) Harness) {
	var out *spool
	k := newKit(t, newHarness, func(c *order.Config) {
		out = &spool{Outbox: c.Outbox, s: staged[[]hyperlocal.Envelope]{clone: func(v []hyperlocal.Envelope) []hyperlocal.Envelope {
			return append([]hyperlocal.Envelope(nil), v...)
		}}}
		c.Outbox = out
	})
	c := apples(2)
	c.Contact, c.Note = &order.Contact{Name: "Ann Person"}, "Ring twice"
	id := k.place(c)
	k.pay(id)
	_, err := k.s.Accept(t.Context(), order.Command{Tenant: tenant, Actor: merchant, Order: id, Reason: "told Ann Person on the phone"})
	noError(t, err)
	_, err = k.refund(order.RefundCommand{Order: id, Amount: gbp(100), Reason: "Ann Person complained"})
	noError(t, err)
	k.fire(id, order.TriggerReady, order.TriggerDeliver, order.TriggerComplete)
	want := []string{
		"order.placed", "order.payment_changed", "order.payment_changed", "order.confirmed", "order.accepted",
		"order.credit_issued", "order.payment_changed", "order.refunded", "order.ready", "order.delivered", "order.completed",
	}
	var got []string
	var version int64
	n := 0
	out.s.look(t.Context(), func(all *[]hyperlocal.Envelope) {
		for _, e := range *all {
			got = append(got, e.Name)
			if strings.Contains(string(e.Payload), "Person") || strings.Contains(string(e.Payload), "Ring") {
				t.Errorf("%s tells %s", e.Name, e.Payload)
			}
			if e.Aggregate != id.Ref() {
				continue
			}
			if e.AggregateVersion < version || e.AggregateVersion == version && e.N != n+1 || e.AggregateVersion > version && e.N != 1 {
				t.Errorf("%s is %d.%d, after %d.%d", e.Name, e.AggregateVersion, e.N, version, n)
			}
			version, n = e.AggregateVersion, e.N
			var c order.Changed
			noError(t, e.Decode(&c))
			if c.Order != id || c.Version != e.AggregateVersion || c.Merchant != shop {
				t.Errorf("%s says %+v", e.Name, c)
			}
		}
	})
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("got %v, want %v", got, want)
	}
	if o := k.get(id); o.Version < version {
		t.Fatalf("the order is at %d, an event at %d", o.Version, version)
	}
}
