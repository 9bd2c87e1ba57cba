package memstore_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/inventory/inventorytest"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

var (
	_ order.Stock   = (*inventory.Service)(nil)
	_ order.Spender = (*inventory.Service)(nil)
)

func stockHarness() inventorytest.Harness {
	db := memstore.New(memstore.WithRankCheck())
	return inventorytest.Harness{
		Store: db.Stock(), Tx: db, Outbox: db.Outbox(), Idempotency: db.Idempotency(), Pending: db.Outbox().Pending,
		Corrupt: func(ctx context.Context, k inventory.Key, onHand, reserved int64) error {
			// A change without its movement is just what a defect would make.
			return db.WithinTx(ctx, func(ctx context.Context) error {
				levels, err := db.Stock().Levels(ctx, []inventory.Key{k})
				if err != nil {
					return err
				}
				return db.Stock().Write(ctx, inventory.Writes{Changes: []inventory.Change{{
					Key: k, OnHand: onHand - levels[0].OnHand.Value(), Reserved: reserved - levels[0].Reserved.Value(),
				}}})
			})
		},
	}
}

func TestStock(t *testing.T) {
	t.Parallel()
	inventorytest.Run(t, func(*testing.T) inventorytest.Harness { return stockHarness() })
}

func TestStockGathered(t *testing.T) {
	t.Parallel()
	inventorytest.Run(t, func(*testing.T) inventorytest.Harness {
		h := stockHarness()
		h.Intake = &inventory.Intake{}
		return h
	})
}

// forgetful is a store that neither locks nor guards: it answers every Lock with the levels
// as they were the first time.
type forgetful struct {
	inventory.Store
	first map[inventory.Key]inventory.Level
}

func (s forgetful) Lock(ctx context.Context, keys []inventory.Key, owners []hyperlocal.TenantRef) (inventory.Locked, error) {
	locked, err := s.Store.Lock(ctx, keys, owners)
	for i, l := range locked.Levels {
		if old, ok := s.first[l.Key()]; ok {
			locked.Levels[i].OnHand, locked.Levels[i].Reserved = old.OnHand, old.Reserved
		} else if l.OnHand.Sign() > 0 {
			s.first[l.Key()] = l
		}
	}
	return locked, err
}

func (s forgetful) Write(ctx context.Context, w inventory.Writes) error {
	for i := range w.Changes {
		w.Changes[i].Guard = inventory.GuardNone
	}
	return s.Store.Write(ctx, w)
}

// With the lock gone and no guard asked for, the store still keeps no level that is broken:
// nothing that is not there is sold. (bunstore's tests take this last net away, too.)
func TestStockInvariantHoldsWithoutLock(t *testing.T) {
	t.Parallel()
	h := stockHarness()
	h.Store = forgetful{h.Store, map[inventory.Key]inventory.Level{}}
	err := inventorytest.Oversell(t.Context(), h, 30, 10)
	if !errors.Is(err, inventory.ErrContended) {
		t.Fatalf("error is %v, want contention and nothing sold twice", err)
	}
}

// model is what the stock of one item has to be, kept by hand.
type model struct {
	onHand, reserved int64
	backorder        int64
	open             map[string]int64 // by order
	sold             map[string]int64
	holds            map[string]int64
}

// TestStockProperty runs random commands against the service and a model: after each of them
// the level is what the model says, equals the sums of its movements, and 0 <= reserved <=
// on hand + backorder limit.
func TestStockProperty(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		h := stockHarness()
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		s, err := inventory.New(inventory.Config{
			Store: h.Store, Tx: h.Tx, Outbox: h.Outbox, Clock: hyperlocal.ClockFunc(func() time.Time { return now }),
		})
		if err != nil {
			t.Fatal(err)
		}
		const tenant = hyperlocal.TenantID("acme")
		actor := hyperlocal.Actor{Kind: "admin", ID: "ada"}
		key := inventory.Key{Tenant: tenant, Item: "x", Location: "shop"}
		m := model{
			backorder: rapid.Int64Range(0, 5).Draw(t, "backorder limit"),
			open:      map[string]int64{}, sold: map[string]int64{}, holds: map[string]int64{},
		}
		_, err = s.SetItems(ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: actor, Items: []inventory.Item{{
			ID: key.Item, Location: key.Location, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnCart,
			BackorderLimit: hyperlocal.Pieces(m.backorder), LowAt: hyperlocal.Pieces(3),
		}}})
		if err != nil {
			t.Fatal(err)
		}
		items := func(n int64) []hyperlocal.ItemQuantity {
			return []hyperlocal.ItemQuantity{{Item: key.Item, Location: key.Location, Quantity: hyperlocal.Pieces(n)}}
		}
		command := func(n int64) inventory.StockCommand {
			return inventory.StockCommand{Tenant: tenant, Actor: actor, Lines: []inventory.StockLine{
				{Item: key.Item, Location: key.Location, Quantity: hyperlocal.Pieces(n)},
			}}
		}
		names := rapid.SampledFrom([]string{"1", "2", "3"})
		units := rapid.Int64Range(1, 8)
		owner := func(kind, id string) hyperlocal.TenantRef {
			return hyperlocal.TenantRef{Tenant: tenant, Ref: hyperlocal.NewRef(kind, id)}
		}
		// outcome checks that a command was refused exactly when the model refuses it.
		outcome := func(t *rapid.T, err error, allowed bool) {
			if allowed && err != nil || !allowed && !errors.Is(err, inventory.ErrInsufficient) {
				t.Fatalf("error is %v, the model allows it: %v", err, allowed)
			}
		}
		returns := 0
		t.Repeat(map[string]func(*rapid.T){
			"receive": func(t *rapid.T) {
				n := units.Draw(t, "n")
				_, err := s.Receive(ctx, command(n))
				outcome(t, err, true)
				m.onHand += n
			},
			"write off": func(t *rapid.T) {
				n := units.Draw(t, "n")
				_, err := s.WriteOff(ctx, command(n))
				ok := m.onHand-m.reserved >= n
				outcome(t, err, ok)
				if ok {
					m.onHand -= n
				}
			},
			"reserve a batch": func(t *rapid.T) {
				batch := make([]inventory.ReserveCommand, rapid.IntRange(1, 4).Draw(t, "batch"))
				for i := range batch {
					batch[i] = inventory.ReserveCommand{
						Tenant: tenant, Actor: actor, Owner: owner("order", names.Draw(t, "order")).Ref,
						Items: append(items(units.Draw(t, "n")), items(units.Draw(t, "again"))...), // one item twice
					}
				}
				results, err := s.ReserveMany(ctx, batch)
				if err != nil {
					t.Fatal(err)
				}
				for i, c := range batch {
					n := c.Items[0].Quantity.Value() + c.Items[1].Quantity.Value()
					ok := m.onHand-m.reserved+m.backorder >= n
					outcome(t, results[i].Err, ok)
					if ok {
						m.reserved += n
						m.open[c.Owner.ID] += n
					}
				}
			},
			"hold": func(t *rapid.T) {
				id, n := names.Draw(t, "cart"), units.Draw(t, "n")
				_, err := s.Hold(ctx, inventory.HoldCommand{Tenant: tenant, Actor: actor, Owner: owner("cart", id).Ref, Items: items(n)})
				ok := m.onHand-m.reserved+m.holds[id]+m.backorder >= n
				outcome(t, err, ok)
				if ok {
					m.reserved += n - m.holds[id]
					m.holds[id] = n
				}
			},
			"buy the cart": func(t *rapid.T) {
				id, n := names.Draw(t, "cart"), units.Draw(t, "n")
				err := s.Reserve(ctx, inventory.ReserveCommand{
					Tenant: tenant, Actor: actor, Owner: owner("order", id).Ref, Items: items(n), Cart: owner("cart", id).Ref,
				})
				ok := m.onHand-m.reserved+m.holds[id]+m.backorder >= n
				outcome(t, err, ok)
				if ok {
					m.reserved += n - m.holds[id]
					m.open[id] += n
					delete(m.holds, id)
				}
			},
			"expire": func(t *rapid.T) {
				now = now.Add(time.Hour)
				n, err := s.ExpireHolds(ctx, 100)
				if err != nil || n != len(m.holds) {
					t.Fatalf("%d expired (%v), the model says %d", n, err, len(m.holds))
				}
				for id, held := range m.holds {
					m.reserved -= held
					delete(m.holds, id)
				}
			},
			"commit": func(t *rapid.T) {
				id := names.Draw(t, "order")
				outcome(t, s.CommitReserved(ctx, time.Time{}, actor, owner("order", id)), true)
				m.onHand -= m.open[id]
				m.reserved -= m.open[id]
				m.sold[id] += m.open[id]
				delete(m.open, id)
			},
			"release": func(t *rapid.T) {
				id := names.Draw(t, "order")
				outcome(t, s.ReleaseReserved(ctx, time.Time{}, actor, "", owner("order", id)), true)
				m.reserved -= m.open[id]
				delete(m.open, id)
			},
			"return": func(t *rapid.T) {
				id := names.Draw(t, "order")
				if m.sold[id] == 0 {
					t.Skip()
				}
				n := rapid.Int64Range(1, m.sold[id]).Draw(t, "n")
				returns++
				r := hyperlocal.StockReturn{
					Tenant: tenant, Owner: owner("order", id).Ref, Reference: strconv.Itoa(returns), Items: items(n), Actor: actor,
				}
				for range 2 {
					outcome(t, s.Return(ctx, r), true)
				}
				m.onHand += n
				m.sold[id] -= n
			},
			"adjust": func(t *rapid.T) {
				n := rapid.Int64Range(0, 12).Draw(t, "count")
				levels, err := s.Levels(ctx, key)
				if err != nil {
					t.Fatal(err)
				}
				_, err = s.Adjust(ctx, inventory.AdjustCommand{Tenant: tenant, Actor: actor, Lines: []inventory.AdjustLine{
					{Item: key.Item, Location: key.Location, OnHand: hyperlocal.Pieces(n), Version: levels[0].Version},
				}})
				ok := n-m.reserved+m.backorder >= 0 || n == m.onHand
				if ok != (err == nil) || !ok && !errors.Is(err, inventory.ErrBelowReserved) {
					t.Fatalf("error is %v, the model allows it: %v", err, ok)
				}
				if ok {
					m.onHand = n
				}
			},
			"": func(t *rapid.T) {
				counts, err := h.Store.Count(ctx, []inventory.Key{key})
				if err != nil {
					t.Fatal(err)
				}
				c := counts[0]
				if c.Level.OnHand.Value() != m.onHand || c.Level.Reserved.Value() != m.reserved {
					t.Fatalf("level is %d, %d; the model says %d, %d", c.Level.OnHand.Value(), c.Level.Reserved.Value(), m.onHand, m.reserved)
				}
				if !c.Agrees() || m.reserved < 0 || m.reserved > m.onHand+m.backorder {
					t.Fatalf("level and history disagree: %+v", c)
				}
			},
		})
	})
}
