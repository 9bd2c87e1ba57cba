package inventorytest

import (
	"context"
	"errors"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

var errStop = errors.New("the host changed its mind")

var transactionCases = []testCase{
	{"a rollback leaves nothing", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.item(apple, cellar, inventory.ModeReserveOnCart)
		f.reserved("o1", pieces(apple, shop, 2))
		before := f.level(key(apple, shop))
		moved := len(f.movements(key(apple, shop)))
		pending, err := f.h.Pending(f.ctx, 1000)
		f.check(err)
		err = f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			for _, step := range []func() error{
				func() error { _, err := f.s.Receive(ctx, stock(line(apple, shop, 5, "r1"))); return err },
				func() error { _, err := f.s.WriteOff(ctx, stock(line(apple, shop, 1, "w1"))); return err },
				func() error {
					_, err := f.s.Transfer(ctx, inventory.TransferCommand{Tenant: tenant, Actor: admin, Lines: []inventory.TransferLine{
						{Item: apple, From: shop, To: cellar, Quantity: hyperlocal.Pieces(2)},
					}})
					return err
				},
				func() error {
					_, err := f.s.Hold(ctx, hold("c1", pieces(apple, cellar, 1)))
					return err
				},
				func() error { return f.s.CommitReserved(ctx, time.Time{}, admin, owner("o1")) },
				func() error { return f.s.Return(ctx, giveBack("o1", "r1", pieces(apple, shop, 1))) },
				func() error {
					_, err := f.s.SetItems(ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{
						{ID: pear, Location: shop, Unit: hyperlocal.Piece, Mode: inventory.ModeTrackOnly},
					}})
					return err
				},
			} {
				if err := step(); err != nil {
					return err
				}
			}
			inside, err := f.s.Levels(ctx, key(apple, shop))
			if err != nil {
				return err
			}
			if len(inside) != 1 || inside[0].OnHand != hyperlocal.Pieces(11) || inside[0].Reserved != hyperlocal.Pieces(0) {
				f.Errorf("inside the transaction the level is %+v", inside)
			}
			return errStop
		})
		if !errors.Is(err, errStop) {
			f.Fatalf("error is %v", err)
		}
		after, err := f.h.Pending(f.ctx, 1000)
		f.check(err)
		if f.level(key(apple, shop)) != before || len(f.movements(key(apple, shop))) != moved || len(after) != len(pending) {
			f.Fatal("the rollback left something")
		}
		levels, err := f.s.Levels(f.ctx, key(pear, shop))
		f.check(err)
		rows, err := f.s.Reservations(f.ctx, tenant, order("o1"), cart("c1").Ref)
		f.check(err)
		if len(levels) != 0 || len(rows) != 1 {
			f.Fatalf("the rollback left %v, %v", levels, rows)
		}
		_, err = f.s.Receive(f.ctx, stock(line(apple, shop, 7, "r1"))) // the reference is free
		f.check(err)
		f.check(f.s.Return(f.ctx, giveBack("o1", "r1", pieces(apple, shop, 1))))
		f.stands(key(apple, shop), 18, 2)
		f.sound()
	}},
	{"several commands commit together", func(f *fixture) {
		f.item(apple, shop, inventory.ModeReserveOnOrder)
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			if _, err := f.s.Receive(ctx, stock(line(apple, shop, 5))); err != nil {
				return err
			}
			refused, err := placeAll(ctx, f.h.Tx, f.s, []hyperlocal.Placement{
				place("o1", pieces(apple, shop, 5)), place("o2", pieces(apple, shop, 1)),
			})
			if err != nil {
				return err
			}
			f.check(refused[0])
			f.want(refused[1], inventory.ErrInsufficient)
			if err := f.s.CommitReserved(ctx, time.Time{}, admin, owner("o1")); err != nil {
				return err
			}
			_, err = f.s.Receive(ctx, stock(line(apple, shop, 1)))
			return err
		}))
		f.stands(key(apple, shop), 1, 0)
		f.sound()
	}},
	{"a refusal inside a transaction leaves it usable", func(f *fixture) {
		f.stocked(apple, shop, 5)
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			_, err := f.s.WriteOff(ctx, stock(line(apple, shop, 2), line(apple, shop, 9)))
			f.want(err, inventory.ErrInsufficient)
			_, err = f.s.Receive(ctx, stock(line("nothing", shop, 1)))
			f.want(err, inventory.ErrUnknownItem)
			_, err = f.s.WriteOff(ctx, stock(line(apple, shop, 1)))
			return err
		}))
		f.stands(key(apple, shop), 4, 0)
		f.sound()
	}},
	{"who has left gets nothing done", func(f *fixture) {
		f.stocked(apple, shop, 5)
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		_, err := f.s.Receive(ctx, stock(line(apple, shop, 1)))
		if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			f.Errorf("Receive: %v", err)
		}
		if _, err := f.s.Levels(ctx, key(apple, shop)); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			f.Errorf("Levels: %v", err)
		}
		ctx, cancel = context.WithCancel(f.ctx)
		err = f.h.Tx.WithinTx(ctx, func(ctx context.Context) error {
			if _, err := f.s.Receive(ctx, stock(line(apple, shop, 1))); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			f.Errorf("WithinTx: %v", err)
		}
		f.stands(key(apple, shop), 5, 0)
	}},
}
