package ordertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// purse is a wallet that gives back, and counts how often it was asked for each order.
type purse struct {
	wallet

	asked staged[[][]hyperlocal.SpendReturn] // by call
	wrong error                              // what giving back fails with
}

func newPurse() *purse {
	p := &purse{wallet: wallet{left: 1000, spent: new(int64)}}
	p.asked.clone = slices.Clone[[][]hyperlocal.SpendReturn]
	return p
}

func (p *purse) GiveBack(ctx context.Context, returns ...hyperlocal.SpendReturn) error {
	if !hyperlocal.InTx(ctx) || len(returns) == 0 {
		return errMisuse
	}
	p.asked.change(ctx, func(v *[][]hyperlocal.SpendReturn) { *v = append(*v, returns) })
	return p.wrong
}

// calls are those whose transactions were committed.
func (p *purse) calls() (all [][]hyperlocal.SpendReturn) {
	p.asked.look(context.Background(), func(v *[][]hyperlocal.SpendReturn) { all = slices.Clone(*v) })
	return all
}

// gave checks that there was one call for each list of orders, in this order.
func (p *purse) gave(t *testing.T, want ...[]order.ID) {
	t.Helper()
	calls := p.calls()
	if len(calls) != len(want) {
		t.Fatalf("given back %+v, want %v", calls, want)
	}
	for i, call := range calls {
		var orders []order.ID
		for _, r := range call {
			orders = append(orders, order.ID(r.Order.ID))
			if r.Tenant != tenant || r.Order.Kind != order.OwnerKind || r.Actor.Validate() != nil || r.At.IsZero() || len(r.Spend) != 1 || r.Spend[0].Kind != "points" {
				t.Fatalf("given back %+v", r)
			}
		}
		if slices.Sort(orders); !slices.Equal(orders, slices.Sorted(slices.Values(want[i]))) {
			t.Fatalf("call %d gave back %v, want %v", i, orders, want[i])
		}
	}
}

// keeper is a participant that keeps what is spent with it.
type keeper struct{ wallet }

func (k *keeper) SpendKinds() []string { return []string{"coupon"} }

func testSpent(t *testing.T, newHarness func(*testing.T) Harness) {
	open := func(t *testing.T) (*kit, *purse) {
		t.Helper()
		p := newPurse()
		return newKit(t, newHarness, func(c *order.Config) {
			c.Participants = []hyperlocal.Participant{p, &keeper{wallet{left: 1000, spent: new(int64)}}}
		}), p
	}
	spending := func(kinds ...string) order.PlaceCommand {
		c := apples(1)
		for _, kind := range kinds {
			c.Spend = append(c.Spend, hyperlocal.Spend{Kind: kind, Ref: ann, Amount: 7})
		}
		return c
	}
	t.Run("is kept with the order", func(t *testing.T) {
		k, p := open(t)
		c := spending("points", "coupon")
		id := k.place(c)
		if o := k.get(id); !slices.Equal(o.Spent, c.Spend) {
			t.Fatalf("spent %+v", o.Spent)
		}
		k.fire(id, order.TriggerCancel)
		if o := k.get(id); !slices.Equal(o.Spent, c.Spend) {
			t.Fatalf("spent %+v", o.Spent)
		}
		if o := k.get(k.place(apples(1))); o.Spent != nil {
			t.Fatalf("spent %+v", o.Spent)
		}
		p.gave(t, []order.ID{id})
	})
	t.Run("goes back once, whatever ends the order", func(t *testing.T) {
		for name, end := range map[string]func(k *kit, id order.ID){
			"cancelled": func(k *kit, id order.ID) { k.fire(id, order.TriggerCancel) },
			"cancelled when paid": func(k *kit, id order.ID) {
				k.pay(id)
				k.fire(id, order.TriggerCancel)
			},
			"cancelled when accepted": func(k *kit, id order.ID) {
				k.pay(id)
				k.fire(id, order.TriggerAccept, order.TriggerCancel)
			},
			"rejected": func(k *kit, id order.ID) {
				k.pay(id)
				_, err := k.s.Reject(t.Context(), order.Command{Tenant: tenant, Actor: merchant, Order: id, Merchant: shop})
				noError(t, err)
			},
			"not paid in time": func(k *kit, _ order.ID) { k.pass(time.Hour) },
			"not accepted in time": func(k *kit, id order.ID) {
				k.pay(id)
				k.pass(48 * time.Hour)
			},
		} {
			k, p := open(t)
			id := k.place(spending("points"))
			end(k, id)
			if o := k.get(id); o.State != order.Cancelled && o.State != order.Expired {
				t.Fatalf("%s: the order is %s", name, o.State)
			}
			r, err := k.s.Do(t.Context(), order.Command{Tenant: tenant, Actor: system, Order: id, Trigger: order.TriggerCancel})
			noError(t, err)
			wantReason(t, r[0].Err, order.ErrNotAllowed)
			k.pass(48 * time.Hour)
			p.gave(t, []order.ID{id})
		}
	})
	t.Run("stays when the order is served, and when nothing goes back", func(t *testing.T) {
		k, p := open(t)
		served := k.place(spending("points"))
		k.pay(served)
		k.fire(served, order.TriggerAccept, order.TriggerReady, order.TriggerDeliver, order.TriggerComplete)
		_, err := k.s.Refund(t.Context(), order.RefundCommand{Tenant: tenant, Actor: merchant, Order: served})
		noError(t, err)
		k.want(served, order.Completed, order.PaymentRefunded)
		k.fire(k.place(apples(1)), order.TriggerCancel)
		k.fire(k.place(spending("coupon")), order.TriggerCancel)
		p.gave(t)
	})
	t.Run("in one call for a transaction", func(t *testing.T) {
		k, p := open(t)
		ids := []order.ID{k.place(spending("points")), k.place(apples(1)), k.place(spending("points")), k.place(spending("coupon", "points"))}
		_, err := k.s.Do(t.Context(),
			order.Command{Tenant: tenant, Actor: merchant, Order: ids[3], Trigger: order.TriggerCancel},
			order.Command{Tenant: tenant, Actor: shopper, Order: ids[1], Trigger: order.TriggerCancel, At: k.clock.Now().Add(-time.Minute)},
			order.Command{Tenant: tenant, Actor: shopper, Order: ids[0], Trigger: order.TriggerCancel, At: k.clock.Now().Add(-time.Hour)},
			order.Command{Tenant: tenant, Actor: shopper, Order: ids[0], Trigger: order.TriggerCancel},
		)
		noError(t, err)
		p.gave(t, []order.ID{ids[0], ids[3]})
		for _, r := range p.calls()[0] {
			if first := r.Order == ids[0].Ref(); first != (r.Actor == shopper) || first != r.At.Before(k.clock.Now()) {
				t.Fatalf("given back %+v", r)
			}
		}
		k.pass(time.Hour)
		p.gave(t, []order.ID{ids[0], ids[3]}, []order.ID{ids[2]})
	})
	t.Run("not at all when it fails", func(t *testing.T) {
		k, p := open(t)
		id := k.place(spending("points"))
		p.wrong = errors.New("the purse is stuck")
		_, err := k.s.Cancel(t.Context(), order.Command{Tenant: tenant, Actor: shopper, Order: id})
		if !errors.Is(err, p.wrong) {
			t.Fatalf("got %v", err)
		}
		k.want(id, order.AwaitingPayment, order.PaymentDue)
		k.wantTriggers(id, "state", "await_payment")
		k.wantStock(100, 1)
		k.clock.Advance(time.Hour)
		if _, _, err := k.s.RunDue(t.Context(), 0); !errors.Is(err, p.wrong) {
			t.Fatalf("got %v", err)
		}
		k.want(id, order.AwaitingPayment, order.PaymentDue)
		p.gave(t)
		p.wrong = nil
		k.pass(time.Hour)
		k.want(id, order.Expired, order.PaymentDue)
		k.wantStock(100, 0)
		p.gave(t, []order.ID{id})
	})
	t.Run("late capture", func(t *testing.T) {
		for kind, state := range map[string]order.State{"points": order.Expired, "coupon": order.Confirmed} {
			k, p := open(t)
			id := k.place(spending(kind))
			k.payments.SayAlways(declined(hyperlocal.DeclineHard))
			op := k.pay(id).Operation
			k.payments.SayAlways(Succeeded)
			k.pass(time.Hour)
			k.want(id, order.Expired, order.PaymentDue)
			k.settle(op, Succeeded)
			k.due()
			if state == order.Confirmed { // what it spent had not gone back
				k.want(id, state, order.PaymentPaid)
				k.wantStock(100, 1)
				p.gave(t)
				continue
			}
			if o := k.want(id, state, order.PaymentRefunded); o.Refunded != o.Total {
				t.Fatalf("refunded %s of %s", o.Refunded, o.Total)
			}
			k.wantStock(100, 0)
			p.gave(t, []order.ID{id})
		}
	})
	t.Run("a kind that the stock names", func(t *testing.T) {
		k := newKit(t, newHarness, func(c *order.Config) { c.Stock = holding{c.Stock} })
		c := spending("hold")
		if o := k.get(k.place(c)); !slices.Equal(o.Spent, c.Spend) {
			t.Fatalf("spent %+v", o.Spent)
		}
		_, err := k.s.Place(t.Context(), spending("points"))
		wantReason(t, err, order.ErrNotConfigured)
	})
}

// holding is a stock whose holds a placement can take over.
type holding struct{ order.Stock }

func (holding) SpendKinds() []string { return []string{"hold"} }
