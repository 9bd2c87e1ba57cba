package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/retail"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Policy is that of trade which has happened: nobody stands at the till, so no order expires,
// lapses or is called late because a replay was stopped and goes on another day.
func Policy() order.Policy {
	const never = 10 * 365 * 24 * time.Hour
	return order.Policy{
		PaymentWithin: never, AcceptWithin: never, PrepareWithin: never, ReadyWithin: never, DeliverWithin: never,
		CompleteAfter: never,
	}
}

// order runs a document that is no credit: its write-offs, then its order to the end.
func (r *run) order(ctx context.Context, p *retail.OrderPlan) error {
	if err := r.writeOffs(ctx, p); err != nil {
		return err
	}
	if len(p.Lines) == 0 {
		return nil
	}
	placed, err := r.s.Orders.Place(ctx, r.placement(p))
	if err != nil {
		return err
	}
	if err := r.toTheEnd(ctx, placed.Order, p.At); err != nil {
		return err
	}
	r.mu.Lock()
	r.orders[p.Number] = placed.Order.ID
	r.mu.Unlock()
	return nil
}

// writeOffs books the write-offs of a document. Those that are there with other content are
// conflicts; the others are booked all the same.
func (r *run) writeOffs(ctx context.Context, p *retail.OrderPlan) error {
	var lines []inventory.StockLine
	for _, row := range p.WriteOffs {
		if !row.Goods {
			continue // counted, but there is no stock to move
		}
		lines = append(lines, inventory.StockLine{
			Item: hyperlocal.ItemID(row.Code), Location: Location, Quantity: hyperlocal.Pieces(-row.Quantity),
			External: hyperlocal.External{Source: Source, Reference: retail.Reference(p.Number, row.Index)},
		})
	}
	for part := range slices.Chunk(lines, chunk) {
		if err := r.book(part, func(lines []inventory.StockLine) error {
			_, err := r.s.Stock.WriteOff(ctx, inventory.StockCommand{
				Tenant: Tenant, Actor: actor, Lines: lines, Reason: "write-off", At: p.At,
			})
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func customer(id string) hyperlocal.Ref {
	if id == "" {
		return hyperlocal.Ref{}
	}
	return hyperlocal.NewRef("customer", id)
}

// placement is the order of a document. The price is the file's, so it is stated.
func (r *run) placement(p *retail.OrderPlan) order.PlaceCommand {
	lines := make([]order.PlaceLine, len(p.Lines))
	for i, row := range p.Lines {
		l := order.PlaceLine{
			Kind: order.LineFee, Code: row.Code, Title: row.Title, Quantity: hyperlocal.Pieces(row.Quantity), UnitPrice: row.Price,
		}
		if row.Goods {
			l.Kind, l.Item, l.Location = order.LineGoods, hyperlocal.ItemID(row.Code), Location
		}
		if l.Title == "" {
			l.Title = row.Code
		}
		l.Title = retail.Shorten(l.Title, order.MaxTitle)
		lines[i] = l
	}
	return order.PlaceCommand{
		Tenant: Tenant, Actor: actor, Merchant: merchant, Customer: customer(p.Customer), Channel: "import",
		External: hyperlocal.External{Source: Source, Reference: p.Number}, Currency: r.plan.Currency,
		Fulfilment: order.FulfilmentPickup, Lines: lines, At: p.At,
	}
}

// errEnded refuses an order that has ended without being completed: it is there, but what the
// file says did not happen. endedAs says how it ended, by its reason.
var errEnded = errors.New("the order has ended without being completed")

func endedAs(s order.State) error {
	return hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "replay/ended_"+string(s),
		"the order is there and has ended without being completed").WithCause(errEnded)
}

// toTheEnd pays and works an order from wherever it stands until it is completed. A run that
// goes on after a crash finds orders in any state. Errors: those of the order, and
// errEnded.
func (r *run) toTheEnd(ctx context.Context, o order.Summary, at time.Time) error {
	next := map[order.State]order.Trigger{
		order.Confirmed: order.TriggerAccept, order.Accepted: order.TriggerReady, order.Preparing: order.TriggerReady,
		order.Ready: order.TriggerDeliver, order.Dispatched: order.TriggerDeliver, order.Delivered: order.TriggerComplete,
		order.DeliveryFailed: order.TriggerDispatch, order.NeedsAttention: order.TriggerResolve,
	}
	for range 32 { // more than the longest way
		switch o.State {
		case order.Completed:
			return nil
		case order.Cancelled, order.Expired:
			return endedAs(o.State)
		case order.AwaitingPayment:
			paid, err := r.pay(ctx, o.ID, at)
			if err != nil {
				return err
			}
			o = paid
		default:
			trigger, ok := next[o.State]
			if !ok {
				return fmt.Errorf("order %s is %s, which has no way on", o.ID, o.State)
			}
			done, err := r.s.Orders.Do(ctx, order.Command{Tenant: Tenant, Actor: actor, Order: o.ID, Trigger: trigger, At: at})
			if err != nil {
				return err
			}
			if done[0].Err != nil {
				return done[0].Err
			}
			o = done[0].Order
		}
	}
	return fmt.Errorf("order %s does not come to an end, it is %s", o.ID, o.State)
}

// How a payment that a killed run has begun is seen through: it is waited for longer than it
// belongs to whoever executes it, and made again if it turns out that the gateway was not asked.
const (
	patience = 5 * time.Minute
	attempts = 5
	glance   = 50 * time.Millisecond
)

// payment is the command of an attempt, from 1, to pay an order, the same however often it is
// given.
func payment(id order.ID, attempt int, at time.Time) order.PayCommand {
	key := "replay/" + string(id)
	if attempt > 1 {
		key += "/" + strconv.Itoa(attempt)
	}
	return order.PayCommand{
		Tenant: Tenant, Actor: actor, Key: key, Order: id, Gateway: "sandbox", Method: "ok", At: at,
	}
}

// pay pays what is due of an order, and returns it when it waits for no payment any more.
func (r *run) pay(ctx context.Context, id order.ID, at time.Time) (order.Summary, error) {
	began := hyperlocal.Stopwatch()
	for attempt := 1; ; {
		paid, err := r.s.Orders.Pay(ctx, payment(id, attempt, at))
		underWay := errors.Is(err, hyperlocal.ErrKeyInProgress) || errors.Is(err, order.ErrPaymentUnderWay)
		switch {
		case err != nil && !underWay:
			return order.Summary{}, err
		case err == nil && paid.Outcome == hyperlocal.OutcomeSucceeded:
			return paid.Order, nil
		case err == nil && paid.Outcome == hyperlocal.OutcomeDeclined && attempt < attempts:
			attempt++
		case hyperlocal.Since(began) > patience || err == nil && paid.Outcome == hyperlocal.OutcomeDeclined:
			return order.Summary{}, fmt.Errorf("payment %s: %s %s", paid.Operation, paid.Outcome, paid.Code)
		default:
			select {
			case <-ctx.Done():
				return order.Summary{}, ctx.Err()
			case <-time.After(glance):
			}
		}
		// The workers see to it as well, and may have been faster.
		now, err := r.app.DB.Orders.Get(ctx, Tenant, id)
		if err != nil {
			return order.Summary{}, err
		}
		if len(now) == 1 && now[0].State != order.AwaitingPayment {
			return order.Summary{ID: id, State: now[0].State}, nil
		}
	}
}
