package order_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// void stands for a database that takes everything and keeps nothing, so that a placement
// costs what the domain costs. What is not implemented is not called by a placement.
type void struct {
	order.Store
	state hyperlocal.TxState
}

type voidTx struct{}

func (voidTx) AfterCommit(func()) bool { return false }

func (v void) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return fn(hyperlocal.ContextWithTx(ctx, v.state))
}
func (void) Insert(context.Context, []order.Order) error               { return nil }
func (void) AppendHistory(context.Context, []order.HistoryEntry) error { return nil }
func (void) Append(context.Context, ...hyperlocal.Envelope) error      { return nil }
func (void) Free(context.Context, []hyperlocal.IdempotencyKey) error   { return nil }

func (void) Claim(_ context.Context, keys []hyperlocal.IdempotencyKey) ([]hyperlocal.Claim, error) {
	claims := make([]hyperlocal.Claim, len(keys))
	for i := range claims {
		claims[i].Fresh = true
	}
	return claims, nil
}

func (void) Complete(context.Context, []hyperlocal.IdempotencyKey, []json.RawMessage) error {
	return nil
}

// fullShelves has a million pieces of everything, looked up once.
type fullShelves struct {
	inventory.Store
	levels map[int][]inventory.Level // by number of keys
}

func (f fullShelves) Lock(_ context.Context, keys []inventory.Key, _ []hyperlocal.TenantRef) (inventory.Locked, error) {
	if f.levels[len(keys)] == nil {
		for _, k := range keys {
			f.levels[len(keys)] = append(f.levels[len(keys)], inventory.Level{
				Tenant: k.Tenant, Item: k.Item, Location: k.Location, Mode: inventory.ModeReserveOnOrder,
				OnHand: hyperlocal.Pieces(1_000_000), Reserved: hyperlocal.Pieces(0), BackorderLimit: hyperlocal.Pieces(0), Version: 1,
			})
		}
	}
	return inventory.Locked{Levels: f.levels[len(keys)]}, nil
}

func (fullShelves) Write(context.Context, inventory.Writes) error { return nil }

// placements returns a shop without a database, and a batch of orders for it.
func placements(tb testing.TB, size int) (*order.Service, []order.PlaceCommand) {
	tb.Helper()
	v := void{state: voidTx{}}
	stock, err := inventory.New(inventory.Config{Store: fullShelves{levels: make(map[int][]inventory.Level)}, Tx: v, Outbox: v})
	if err != nil {
		tb.Fatal(err)
	}
	shop, err := order.New(order.Config{Store: v, Tx: v, Outbox: v, Idempotency: v, Stock: stock})
	if err != nil {
		tb.Fatal(err)
	}
	price, err := hyperlocal.NewMoney(420, "GBP")
	if err != nil {
		tb.Fatal(err)
	}
	batch := make([]order.PlaceCommand, size)
	for i := range batch {
		batch[i] = order.PlaceCommand{
			Tenant: "demo", Actor: shopper, Key: "key-" + strconv.Itoa(i), Merchant: merchant,
			Customer: hyperlocal.NewRef("customer", "ada"), Currency: "GBP",
		}
		for k := range 2 {
			batch[i].Lines = append(batch[i].Lines, order.PlaceLine{
				Title: "Sourdough loaf", Item: hyperlocal.ItemID(fmt.Sprintf("item-%04d", 2*i+k)), Location: "shop",
				Quantity: hyperlocal.Pieces(2), UnitPrice: price,
			})
		}
	}
	return shop, batch
}

// BenchmarkPlaceMany places batches of orders with two stocked lines and a key: what the
// order service and inventory cost together, without a database.
func BenchmarkPlaceMany(b *testing.B) {
	for _, size := range []int{1, 100} {
		shop, batch := placements(b, size)
		b.Run(strconv.Itoa(size), func(b *testing.B) {
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
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/order")
		})
	}
}
