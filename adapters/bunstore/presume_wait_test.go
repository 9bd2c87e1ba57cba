package bunstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// A transaction that goes by what it presumes waits for others no longer than one that asks, and
// what it could not find out it does not answer.

func presumedKey() []hyperlocal.IdempotencyKey {
	return []hyperlocal.IdempotencyKey{{
		Tenant: "north", Caller: "c", Route: "r", Key: "k", Fingerprint: "f", Result: json.RawMessage(`"before"`),
	}}
}

// holding runs statements in a transaction that stays open until the test ends.
func holding(t *testing.T, s *Store, text string) *sql.Tx {
	t.Helper()
	tx, err := s.pool.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() }) // or it was committed
	if _, err := tx.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	return tx
}

func TestPresumeWhileATwinIsUnderWay(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres)
	holding(t, s, `INSERT INTO hc_idempotency (tenant, caller, route, key, fingerprint, created_at, result)
		VALUES ('north', 'c', 'r', 'k', 'f', now(), '"before"')`)
	refused := hyperlocal.NewError(hyperlocal.CodePrecondition, "test/refused", "no")
	claim := func(ctx context.Context) error {
		claims, err := hyperlocal.ClaimKeys(ctx, s.Idempotency(), presumedKey())
		if err == nil && claims[0].Fresh {
			err = refused
		}
		if err == nil {
			err = claims[0].Err
		}
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.WithinTx(ctx, claim); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
		t.Errorf("whose time ends before the twin's gets %v", err)
	}
	s.doubts.left.Store(0)
	begun := time.Now()
	if err := s.WithinTx(t.Context(), claim); !errors.Is(err, hyperlocal.ErrKeyInProgress) || time.Since(begun) > 6*time.Second {
		t.Errorf("a twin that takes long: %v after %s", err, time.Since(begun))
	}
}

func TestPresumeAcrossStores(t *testing.T) {
	t.Parallel()
	a, b := openStore(t, SQLite), openStore(t, SQLite)
	for _, want := range []string{"", `"before"`} {
		var claim hyperlocal.Claim
		err := a.WithinTx(t.Context(), func(ctx context.Context) error {
			return b.WithinTx(ctx, func(ctx context.Context) error {
				return a.WithinTx(ctx, func(ctx context.Context) error {
					claims, err := hyperlocal.ClaimKeys(ctx, a.Idempotency(), presumedKey())
					if err == nil {
						claim = claims[0]
					}
					return err
				})
			})
		})
		if err != nil || string(claim.Result) != want || claim.Fresh != (want == "") {
			t.Errorf("got %+v, %v; want %s", claim, err, want)
		}
	}
}

// stocked sets up items at three locations, with plenty of each, in a service that knows.
func stocked(t *testing.T, s *Store, items int) (*inventory.Service, []hyperlocal.ItemQuantity) {
	t.Helper()
	svc, err := inventory.New(inventory.Config{Store: s.Stock(), Tx: s, Outbox: s.Outbox(), Idempotency: s.Idempotency()})
	if err != nil {
		t.Fatal(err)
	}
	by := hyperlocal.System("test")
	var all []inventory.Item
	var lines []inventory.StockLine
	var wants []hyperlocal.ItemQuantity
	for i := range items {
		for l := range 3 {
			id, at := hyperlocal.ItemID(fmt.Sprintf("i%05d", i)), hyperlocal.LocationID(fmt.Sprintf("l%d", (l*7+i)%3))
			all = append(all, inventory.Item{ID: id, Location: at, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder})
			lines = append(lines, inventory.StockLine{Item: id, Location: at, Quantity: hyperlocal.Pieces(1_000_000)})
			wants = append(wants, hyperlocal.ItemQuantity{Item: id, Location: at, Quantity: hyperlocal.Pieces(1)})
		}
	}
	if _, err := svc.SetItems(t.Context(), inventory.SetItemsCommand{Tenant: "north", Actor: by, Items: all}); err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Receive(t.Context(), inventory.StockCommand{Tenant: "north", Actor: by, Lines: lines}); err != nil {
		t.Fatal(err)
	}
	return svc, wants
}

// reserve places an order for items; runs counts how often that was tried.
func reserve(ctx context.Context, s *Store, svc *inventory.Service, order string, runs *int, items ...hyperlocal.ItemQuantity) error {
	return s.WithinTx(ctx, func(ctx context.Context) error {
		*runs++
		d, err := svc.Decide(ctx, []hyperlocal.Placement{{
			Tenant: "north", Order: hyperlocal.NewRef("order", order), Actor: hyperlocal.System("test"), Items: items,
		}})
		if err != nil {
			return err
		}
		if err := d.Check(0); err != nil {
			return err
		}
		d.Take(0)
		return d.Apply(ctx)
	})
}

func TestPresumedLevelThatSomebodyHolds(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres)
	svc, items := stocked(t, s, 1)
	runs := 0
	if err := reserve(t.Context(), s, svc, "first", &runs, items[0]); err != nil || runs != 1 {
		t.Fatal(err, runs)
	}
	holding(t, s, `SELECT 1 FROM hc_stock_levels FOR UPDATE`)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	err := reserve(ctx, s, svc, "second", &runs, items[0])
	if took := time.Since(begun); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) || took > 4*time.Second {
		t.Errorf("a caller with 200 ms gets %v after %s", err, took)
	}
}

// The rows are taken in the one order of locks, whatever plan the server makes for a small
// table: those who presume and those who lock never wait for each other in a circle.
func TestPresumedLevelsAreTakenInOrder(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres, WithPool(6))
	svc, items := stocked(t, s, 20)
	if _, err := s.pool.ExecContext(t.Context(), `ANALYZE hc_stock_levels`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := range 60 {
				by := svc
				if g%2 == 0 { // one that was told nothing yet, and locks
					by = unaware(t, s)
				}
				want := make([]hyperlocal.ItemQuantity, 8)
				for i := range want {
					want[i] = items[(n*13+g*29+i*17)%len(items)]
				}
				runs := 0
				if err := reserve(t.Context(), s, by, fmt.Sprint(g, "-", n), &runs, want...); err != nil || runs != 1 {
					t.Errorf("%v in %d runs", err, runs)
				}
			}
		})
	}
	wg.Wait()
}

// unaware is a service that has seen nothing and cannot read without a lock.
func unaware(t *testing.T, s *Store) *inventory.Service {
	t.Helper()
	svc, err := inventory.New(inventory.Config{Store: locking{s.Stock()}, Tx: s, Outbox: s.Outbox()})
	if err != nil {
		t.Error(err)
	}
	return svc
}

// locking hides levels from those who would read them without a lock.
type locking struct{ *Stock }

func (locking) Levels(context.Context, []inventory.Key) ([]inventory.Level, error) { return nil, nil }
