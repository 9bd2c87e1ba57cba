package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

const (
	stormTime  = 2 * time.Second
	stormCrowd = 12
	stormUnits = 40
)

// RunStorm lets callers place, pay, cancel, count and spend at once for a while, over few
// items and members that they name in opposite orders. The lock order must hold, no conflict
// that a transaction has to solve by itself may reach a caller, and the books must be right
// afterwards.
func RunStorm(t *testing.T, h ShopHarness) {
	t.Helper()
	w := newShop(t, h.Open(t), stormUnits)
	s := &storm{shop: w, done: make(map[string]int), refused: make(map[string]int)}
	acts := []struct {
		name string
		run  func(ctx context.Context, n int) error
	}{{"place", s.order}, {"pay", s.payOne}, {"cancel", s.cancelOne}, {"place", s.order}, {"adjust", s.adjust}, {"spend", s.spend}, {"earn", s.earn}}
	start := hyperlocal.Stopwatch()
	together(stormCrowd, func(i int) {
		for n := i; hyperlocal.Since(start) < stormTime; n++ {
			// Half of them go through the acts backwards.
			act := acts[n%len(acts)]
			if i%2 == 1 {
				act = acts[len(acts)-1-n%len(acts)]
			}
			s.note(act.name, act.run(w.ctx, i))
		}
	})
	w.Logf("done: %v, refused: %v", s.done, s.refused)
	for _, a := range acts {
		// A count that comes too late has taken its locks, too.
		if s.done[a.name]+s.refused["adjust: "+hyperlocal.ReasonOf(inventory.ErrStale)] == 0 || s.done[a.name] == 0 && a.name != "adjust" {
			w.Errorf("nobody got to %s", a.name)
		}
	}
	for _, when := range []string{"after the storm", "after everything was settled"} {
		for _, item := range shopItems {
			if l := w.level(item); l.OnHand.Value() < l.Reserved.Value() || l.Reserved.Value() < 0 {
				w.Errorf("%s: %s on hand, %s reserved of %s", when, l.OnHand, l.Reserved, item)
			}
		}
		w.sound(when)
		w.settle()
	}
	s.pointsFollow()
}

// storm is what happens during it.
type storm struct {
	*shop

	mu            sync.Mutex
	orders        []order.ID
	done, refused map[string]int
}

// pointsFollow checks that exactly the orders that ended unserved got their points back.
func (s *storm) pointsFollow() {
	s.Helper()
	back := make(map[hyperlocal.Ref]bool, len(s.orders))
	for ids := range slices.Chunk(s.orders, loyalty.MaxRead) {
		references := make([]string, len(ids))
		for i, id := range ids {
			references[i] = loyalty.OrderReference(id.Ref())
		}
		spent, err := s.loyalty.Spendings(s.ctx, kitTenant, references...)
		mustOK(s.T, err)
		for _, sp := range spent {
			back[sp.Subject] = !sp.RestoredAt.IsZero()
		}
	}
	for _, id := range s.orders {
		o := s.get(id)
		if got, ok := back[id.Ref()]; !ok || got != (o.State == order.Cancelled || o.State == order.Expired) {
			s.Errorf("an order is %s; it spent points: %v, they went back: %v", o.State, ok, got)
		}
	}
}

// note counts an answer, and fails the test if it is one that no caller may get.
func (s *storm) note(act string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.done[act]++
		return
	}
	reason := hyperlocal.ReasonOf(err)
	s.refused[act+": "+reason]++
	fatal := strings.HasPrefix(reason, "tx/") || strings.HasPrefix(reason, "sql/") || reason == hyperlocal.ReasonOf(inventory.ErrContended)
	for _, c := range []hyperlocal.Code{
		hyperlocal.CodeInternal, hyperlocal.CodeDeadline, hyperlocal.CodeUnavailable, hyperlocal.CodeInvalid, hyperlocal.CodeUnknownOutcome,
	} {
		fatal = fatal || hyperlocal.IsCode(err, c)
	}
	if fatal || reason == "" {
		s.Errorf("%s was answered with %v", act, err)
	}
}

// pick returns one of the latest orders, and "" before there are any.
func (s *storm) pick(n int) order.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.orders) == 0 {
		return ""
	}
	last := s.orders[max(0, len(s.orders)-8):]
	return last[n%len(last)]
}

// turn returns 0 and 1, or 1 and 0.
func turn(n int) (int, int) { return n % 2, 1 - n%2 }

func (s *storm) order(ctx context.Context, n int) error {
	a, b := turn(n)
	var commands []order.PlaceCommand
	for _, first := range []int{a, b} {
		c := s.plain(shopItems[first])
		c.Lines = append(c.Lines, s.line(shopItems[1-first], 1))
		c.Customer, c.Key = shopMembers[first], s.key()
		c.Spend = []hyperlocal.Spend{{Kind: loyalty.SpendKind, Ref: shopMembers[first], Amount: 3}}
		commands = append(commands, c)
	}
	results, err := s.shop.orders.PlaceMany(ctx, commands)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Err != nil {
			return r.Err
		}
		s.mu.Lock()
		s.orders = append(s.orders, r.Order.ID)
		s.mu.Unlock()
	}
	return nil
}

func (s *storm) payOne(ctx context.Context, n int) error {
	id := s.pick(n)
	if id == "" {
		return order.ErrNotFound
	}
	_, err := s.shop.orders.Pay(ctx, order.PayCommand{
		Tenant: kitTenant, Actor: hyperlocal.System("kit"), Order: id, Method: "ok",
	})
	return err
}

func (s *storm) cancelOne(ctx context.Context, n int) error {
	var commands []order.Command
	for i := range 2 { // two orders in one transaction, newer or older first
		if id := s.pick(n + i*7); id != "" && (i == 0 || id != commands[0].Order) {
			commands = append(commands, order.Command{
				Tenant: kitTenant, Actor: hyperlocal.System("kit"), Order: id, Trigger: order.TriggerCancel, Reason: "storm",
			})
		}
	}
	if len(commands) == 0 {
		return order.ErrNotFound
	}
	results, err := s.shop.orders.Do(ctx, commands...)
	for _, r := range results {
		if err == nil {
			err = r.Err
		}
	}
	return err
}

// adjust counts both items: what is gone has come back.
func (s *storm) adjust(ctx context.Context, n int) error {
	a, b := turn(n)
	keys := make([]inventory.Key, 0, 2)
	for _, i := range []int{a, b} {
		keys = append(keys, inventory.Key{Tenant: kitTenant, Item: shopItems[i], Location: shopShelf})
	}
	levels, err := s.stock.Levels(ctx, keys...)
	if err != nil {
		return err
	}
	c := inventory.AdjustCommand{Tenant: kitTenant, Actor: hyperlocal.System("kit"), Reason: "count"}
	for _, l := range levels {
		c.Lines = append(c.Lines, inventory.AdjustLine{
			Item: l.Item, Location: l.Location, Version: l.Version,
			OnHand: hyperlocal.Pieces(l.Reserved.Value() + 1 + l.OnHand.Value()%3),
		})
	}
	_, err = s.stock.Adjust(ctx, c)
	return err
}

func (s *storm) spend(ctx context.Context, n int) error {
	_, err := s.loyalty.Spend(ctx, loyalty.SpendCommand{
		Tenant: kitTenant, Member: shopMembers[n%2], Reference: "cup-" + s.key(), Points: 2, Actor: hyperlocal.System("kit"),
	})
	return err
}

// earn changes what both members have earned.
func (s *storm) earn(ctx context.Context, n int) error {
	a, b := turn(n)
	var all []loyalty.Earned
	version := s.keys.Add(1)
	for _, i := range []int{a, b} {
		all = append(all, loyalty.Earned{
			Tenant: kitTenant, Member: shopMembers[i], Source: hyperlocal.NewRef("storm", fmt.Sprint(i)),
			SourceVersion: version, Points: 100 + version%7, Actor: hyperlocal.System("kit"),
		})
	}
	return s.loyalty.SetEarned(ctx, all...)
}
