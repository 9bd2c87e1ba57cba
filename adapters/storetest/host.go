package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Host is a database that a host has tables of its own in, beside ours.
type Host struct {
	Database
	DB *sql.DB // the host's own handle
	// Table is an empty table of the host with one text column, Orders our table of orders,
	// both as a statement of the host names them.
	Table, Orders string
	Forms         []HostForm
}

// HostForm is a way in which a host has its transactions.
type HostForm struct {
	Name string
	// Begin begins a transaction of the host, and returns it and the context in which our
	// calls take part in it.
	Begin func(ctx context.Context) (ours context.Context, tx *sql.Tx, err error)
}

// RunHostTx checks that orders and the rows of a host commit and roll back together, and that
// a host may go on after an error of ours without anything being there by halves.
func RunHostTx(t *testing.T, h ShopHarness) {
	t.Helper()
	if h.Host == nil {
		t.Skip("no host can have tables in this database")
	}
	host := h.Host(t)
	k := &hostKit{Host: host, shop: newShop(t, host.Database, 1000)}
	for _, form := range host.Forms { // one after the other: they share the database
		k.form = form
		k.together()
		k.swallowed()
		if k.Failed() {
			k.Fatalf("in a transaction of %s", form.Name)
		}
	}
}

type hostKit struct {
	Host
	*shop
	form HostForm
}

// scalar reads one number in the host's way.
func (k *hostKit) scalar(tx *sql.Tx, table string) (n int) {
	k.Helper()
	mustOK(k.T, tx.QueryRowContext(k.ctx, "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// kept is how many rows of the host there are for everybody.
func (k *hostKit) kept() (n int) {
	k.Helper()
	mustOK(k.T, k.DB.QueryRowContext(k.ctx, "SELECT count(*) FROM "+k.Table).Scan(&n))
	return n
}

func (k *hostKit) begin() (context.Context, *sql.Tx) {
	k.Helper()
	ctx, tx, err := k.form.Begin(k.ctx)
	mustOK(k.T, err)
	k.Cleanup(func() { _ = tx.Rollback() }) // of a test that stopped
	return ctx, tx
}

func (k *hostKit) insert(tx *sql.Tx) {
	k.Helper()
	_, err := tx.ExecContext(k.ctx, fmt.Sprintf("INSERT INTO %s VALUES ('%s')", k.Table, k.key()+k.form.Name))
	mustOK(k.T, err)
}

// together has an order and rows of the host before and after it in one transaction.
func (k *hostKit) together() {
	k.Helper()
	for _, commit := range []bool{false, true} {
		before, kept := k.rows(), k.kept()
		ctx, tx := k.begin()
		k.insert(tx)
		orders := k.scalar(tx, k.Orders)
		r, err := k.orders.Place(ctx, k.full())
		mustOK(k.T, err)
		// The host's next SELECT sees our row and its own, in whichever schema.
		if got := k.scalar(tx, k.Orders); got != orders+1 {
			k.Errorf("the host sees %d of our orders after the call, %d before it", got, orders)
		}
		if got := k.scalar(tx, k.Table); got != kept+1 {
			k.Errorf("the host sees %d of its rows, want %d", got, kept+1)
		}
		if !k.unchanged(before) {
			k.Error("others see the order before the host has committed")
		}
		k.insert(tx)
		if !commit {
			mustOK(k.T, tx.Rollback())
			if after := k.rows(); !slices.Equal(before, after) || k.kept() != kept {
				k.Errorf("the host rolled back, and there are %d of its rows more and\n%s", k.kept()-kept, differ(before, after))
			}
			continue
		}
		mustOK(k.T, tx.Commit())
		if o := k.get(r.Order.ID); len(o.Lines) != 3 || k.kept() != kept+2 {
			k.Errorf("the host committed: %d of its rows more, an order with %d lines", k.kept()-kept, len(o.Lines))
		}
	}
	k.sound("with orders in a host's transactions")
}

// swallowed has every call of a placement fail while the host takes no notice.
func (k *hostKit) swallowed() {
	k.Helper()
	k.each(plan{faultBefore, faultAfter, faultPanic}, func(kind fault, at int) string {
		before, kept := k.rows(), k.kept()
		ctx, tx := k.begin()
		k.insert(tx)
		command := k.full()
		var r order.PlaceResult
		place, err := k.attempt(kind, at, func(context.Context) (err error) {
			r, err = k.orders.Place(ctx, command)
			return err
		})
		if place == "" {
			mustOK(k.T, err)
		} else {
			k.blames(kind, place, err)
		}
		k.insert(tx) // the transaction is as good as before
		mustOK(k.T, tx.Commit())
		if k.kept() != kept+2 {
			k.Errorf("%s %s: %d rows of the host were kept", place, kind, k.kept()-kept)
		}
		if after := k.rows(); place != "" && !slices.Equal(before, after) {
			k.Errorf("%s %s: an error that the host swallowed left\n%s", place, kind, differ(before, after))
		} else if place == "" && (r.Order.ID == "" || slices.Equal(before, after)) {
			k.Error("an order without faults left nothing")
		}
		k.sound(place)
		return place
	})
}
