package replay

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/retail"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Whose trade it is.
const (
	Tenant   hyperlocal.TenantID   = "replay"
	Source                         = "retail"         // external references of orders, credits and write-offs
	Opening                        = "retail-opening" // external references of opening receipts
	Merchant                       = "retail"
	Location hyperlocal.LocationID = "retail"
)

var (
	merchant = hyperlocal.NewRef("merchant", Merchant)
	actor    = hyperlocal.System("replay")
)

// Options of a run.
type Options struct {
	Clients  int                   // streams that run at a time; 0 means 1
	Progress func(done, total int) // called after every document, from several goroutines
}

// run is one replay under way.
type run struct {
	app     *app.App
	s       *app.Services
	file    *retail.File
	plan    *retail.Plan
	options Options

	done atomic.Int64

	mu        sync.Mutex
	orders    map[string]order.ID // by document number
	conflicts []Conflict
}

// Conflict is a reference that the database knows with other content.
type Conflict struct {
	Reference string `json:"reference"`
	Reason    string `json:"reason"`
}

// Run replays the plan of a file on a running application and reports what came out.
func Run(ctx context.Context, a *app.App, file *retail.File, plan *retail.Plan, o Options) (*Report, error) {
	began := hyperlocal.Stopwatch()
	r := &run{app: a, s: a.Services, file: file, plan: plan, options: o, orders: make(map[string]order.ID, len(plan.Orders))}
	if err := r.shelves(ctx); err != nil {
		return nil, fmt.Errorf("stocking the shop: %w", err)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(o.Clients, 1))
	for _, stream := range plan.Streams {
		g.Go(func() error {
			for _, step := range stream {
				if err := r.step(gctx, step); err != nil {
					return err
				}
				done := int(r.done.Add(1))
				if o.Progress != nil {
					o.Progress(done, len(plan.Orders)+len(plan.Credits))
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := a.Drain(ctx); err != nil {
		return nil, fmt.Errorf("waiting for what follows from events: %w", err)
	}
	sort.Slice(r.conflicts, func(i, j int) bool { return r.conflicts[i].Reference < r.conflicts[j].Reference })
	return r.report(ctx, hyperlocal.Since(began))
}

// step runs one document. The error of a failed step names the document.
func (r *run) step(ctx context.Context, s retail.Step) error {
	var number string
	var err error
	if s.Order != nil {
		number, err = s.Order.Number, r.order(ctx, s.Order)
	} else {
		number, err = s.Credit.Number, r.credit(ctx, s.Credit)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, order.ErrExternalConflict) || errors.Is(err, inventory.ErrExternalConflict) {
		r.conflict(number, err)
		return nil
	}
	return fmt.Errorf("document %s: %w", number, err)
}

func (r *run) conflict(reference string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conflicts = append(r.conflicts, Conflict{Reference: reference, Reason: hyperlocal.ReasonOf(err)})
}

// chunk is how many rows go into one bulk call.
const chunk = 500

// shelves makes the shop, its products and their stock.
func (r *run) shelves(ctx context.Context) error {
	if err := r.shop(ctx); err != nil {
		return err
	}
	if err := r.products(ctx); err != nil {
		return err
	}
	for from := 0; from < len(r.plan.Opening); from += chunk {
		if err := r.receive(ctx, r.plan.Opening[from:min(from+chunk, len(r.plan.Opening))]); err != nil {
			return err
		}
	}
	return nil
}

// receive makes items known and books their opening stock. Receipts that are there with
// another quantity are conflicts; the others of the chunk are booked all the same.
func (r *run) receive(ctx context.Context, opening []retail.Opening) error {
	items := make([]inventory.Item, len(opening))
	lines := make([]inventory.StockLine, len(opening))
	for i, o := range opening {
		items[i] = inventory.Item{
			ID: hyperlocal.ItemID(o.Code), Location: Location, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder,
		}
		lines[i] = inventory.StockLine{
			Item: hyperlocal.ItemID(o.Code), Location: Location, Quantity: hyperlocal.Pieces(o.Quantity),
			External: hyperlocal.External{Source: Opening, Reference: r.plan.Digest[:32] + "/" + o.Code},
		}
	}
	if _, err := r.s.Stock.SetItems(ctx, inventory.SetItemsCommand{Tenant: Tenant, Actor: actor, Items: items}); err != nil {
		return err
	}
	book := func(lines []inventory.StockLine) error {
		_, err := r.s.Stock.Receive(ctx, inventory.StockCommand{Tenant: Tenant, Actor: actor, Lines: lines, Reason: "opening"})
		return err
	}
	err := book(lines)
	if !errors.Is(err, inventory.ErrExternalConflict) {
		return err
	}
	for _, l := range lines {
		switch err := book([]inventory.StockLine{l}); {
		case errors.Is(err, inventory.ErrExternalConflict):
			r.conflict(l.External.Reference, err)
		case err != nil:
			return err
		}
	}
	return nil
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
	r.mu.Lock()
	r.orders[p.Number] = placed.Order.ID
	r.mu.Unlock()
	return r.toTheEnd(ctx, placed.Order, p.At)
}

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
	if len(lines) == 0 {
		return nil
	}
	_, err := r.s.Stock.WriteOff(ctx, inventory.StockCommand{
		Tenant: Tenant, Actor: actor, Lines: lines, Reason: "write-off", At: p.At,
	})
	return err
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
		lines[i] = l
	}
	return order.PlaceCommand{
		Tenant: Tenant, Actor: actor, Merchant: merchant, Customer: customer(p.Customer), Channel: "import",
		External: hyperlocal.External{Source: Source, Reference: p.Number}, Currency: r.plan.Currency,
		Fulfilment: order.FulfilmentPickup, Lines: lines, At: p.At,
	}
}

// toTheEnd pays and works an order from wherever it stands until it is completed. A run that
// goes on after a crash finds orders in any state.
func (r *run) toTheEnd(ctx context.Context, o order.Summary, at time.Time) error {
	next := map[order.State]order.Trigger{
		order.Confirmed: order.TriggerAccept, order.Accepted: order.TriggerReady, order.Preparing: order.TriggerReady,
		order.Ready: order.TriggerDeliver, order.Dispatched: order.TriggerDeliver, order.Delivered: order.TriggerComplete,
	}
	for range 32 { // more than the longest way
		switch o.State {
		case order.Completed, order.Cancelled, order.Expired:
			return nil
		case order.AwaitingPayment:
			paid, err := r.s.Orders.Pay(ctx, order.PayCommand{
				Tenant: Tenant, Actor: actor, Key: "replay/" + string(o.ID), Order: o.ID, Gateway: "sandbox", Method: "ok", At: at,
			})
			if err != nil {
				return err
			}
			if paid.Outcome != hyperlocal.OutcomeSucceeded {
				return fmt.Errorf("payment %s: %s %s", paid.Operation, paid.Outcome, paid.Code)
			}
			o = paid.Order
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

// credit gives back what a credit document says.
func (r *run) credit(ctx context.Context, p *retail.CreditPlan) error {
	parts := make([]order.CreditPart, len(p.Parts))
	for i, part := range p.Parts {
		r.mu.Lock()
		id, ok := r.orders[part.OrderDocument]
		r.mu.Unlock()
		if !ok { // its order is a conflict, so there is nothing that this could be a part of
			return order.ErrExternalConflict
		}
		items := make([]order.RefundItem, len(part.Items))
		for j, it := range part.Items {
			items[j] = order.RefundItem{
				Line: lineOf(&r.plan.Orders[part.Order], it.Row), Quantity: hyperlocal.Pieces(it.Quantity), Restock: it.Goods,
			}
		}
		parts[i] = order.CreditPart{Order: id, Amount: part.Money, Items: items}
	}
	_, err := r.s.Orders.Credit(ctx, order.CreditCommand{
		Tenant: Tenant, Actor: actor, External: hyperlocal.External{Source: Source, Reference: p.Number},
		Merchant: merchant, Customer: customer(p.Customer), Parts: parts, NoteAmount: p.NoteMoney, Reason: "return", At: p.At,
	})
	return err
}

// lineOf returns the 1-based line of the order that a row of its document became.
func lineOf(p *retail.OrderPlan, row int) int {
	for i := range p.Lines {
		if p.Lines[i].Index == row {
			return i + 1
		}
	}
	return 0
}
