package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// Conflict is a reference that the database knows with other content: a document, a row of it
// ("536589/1"), an opening receipt, or a document whose order has ended another way (reason
// "replay/ended_<state>") or that gives back what such an order sold ("replay/no_order").
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

// tries is how often a document is begun that neighbours, a database or a gateway keep from
// going on for the moment. All that it has done so far is found again by its references.
const tries = 10

func transient(err error) bool {
	return hyperlocal.IsCode(err, hyperlocal.CodeConflict) || hyperlocal.IsCode(err, hyperlocal.CodeUnavailable) ||
		hyperlocal.IsCode(err, hyperlocal.CodeUnknownOutcome)
}

// step runs one document. The error of a failed step names the document.
func (r *run) step(ctx context.Context, s retail.Step) error {
	var number string
	var err error
	for try := 1; ; try++ {
		if s.Order != nil {
			number, err = s.Order.Number, r.order(ctx, s.Order)
		} else {
			number, err = s.Credit.Number, r.credit(ctx, s.Credit)
		}
		if err == nil {
			return nil
		}
		if try == tries || !transient(err) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * glance):
		}
	}
	for _, known := range []error{order.ErrExternalConflict, inventory.ErrExternalConflict, errEnded, errNoOrder} {
		if errors.Is(err, known) {
			r.conflict(number, err)
			return nil
		}
	}
	return fmt.Errorf("document %s: %w", number, err)
}

func (r *run) conflict(reference string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := Conflict{Reference: reference, Reason: hyperlocal.ReasonOf(err)}
	if !slices.Contains(r.conflicts, c) { // a document that is begun again meets the same one
		r.conflicts = append(r.conflicts, c)
	}
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

// receive makes items known and books their opening stock.
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
	return r.book(lines, func(lines []inventory.StockLine) error {
		_, err := r.s.Stock.Receive(ctx, inventory.StockCommand{Tenant: Tenant, Actor: actor, Lines: lines, Reason: "opening"})
		return err
	})
}

// book books lines at once or, if some are there with other content, one by one: those are
// conflicts, and the others are booked all the same.
func (r *run) book(lines []inventory.StockLine, book func([]inventory.StockLine) error) error {
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

// errNoOrder refuses a credit for a document whose order is itself a conflict, so that there
// is nothing that this could be a part of.
var errNoOrder = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "replay/no_order",
	"the order that this gives back is not there as the file has it")

// empty reports whether a credit gives nothing back: no money, and no units of an order. It
// is a document all the same, but there is nothing to record.
func empty(p *retail.CreditPlan) bool { return len(p.Parts) == 0 && p.NoteMoney.IsZero() }

// credit gives back what a credit document says.
func (r *run) credit(ctx context.Context, p *retail.CreditPlan) error {
	if empty(p) {
		return nil
	}
	parts := make([]order.CreditPart, len(p.Parts))
	for i, part := range p.Parts {
		r.mu.Lock()
		id, ok := r.orders[part.OrderDocument]
		r.mu.Unlock()
		if !ok {
			return errNoOrder
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
