package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/retail"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Report is what came out of a replay. Money is in minor units. Every figure but the
// rejected rows, the notes and the time is read from the database after the run.
type Report struct {
	Orders           int              `json:"orders"`          // of the file, in the database
	Credits          int              `json:"credits"`         // credit documents
	WriteOffLines    int              `json:"write_off_lines"` // rows, also those of items that are not stocked
	RejectedRows     []RejectedRow    `json:"rejected_rows"`
	Notes            []RejectedRow    `json:"notes"`      // rows that took part without what is noted
	MoreNotes        int              `json:"more_notes"` // left out of Notes
	Conflicts        []Conflict       `json:"conflicts"`
	Sales            hyperlocal.Money `json:"sales"`
	Credited         hyperlocal.Money `json:"credited"`
	RefundedToOrders hyperlocal.Money `json:"refunded_to_orders"`
	CreditNotes      hyperlocal.Money `json:"credit_notes"`
	Net              hyperlocal.Money `json:"net"`
	Points           int64            `json:"points"`
	UnitsLeft        int64            `json:"units_left"` // on hand of the items of the file
	JournalBalanced  bool             `json:"journal_balanced"`
	Invariants       map[string]int   `json:"invariants"` // name to number of violations
	ElapsedMS        int64            `json:"elapsed_ms"`
	OrdersPerSecond  int64            `json:"orders_per_second"`
}

// RejectedRow is a row of the file that could not be used or, in a note, not in full.
type RejectedRow struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
	Text   string `json:"text,omitempty"`
}

// Clean reports whether nothing is wrong with the database.
func (r *Report) Clean() bool {
	for _, n := range r.Invariants {
		if n > 0 {
			return false
		}
	}
	return r.JournalBalanced
}

// readChunk is how many documents are read from the database at a time.
const readChunk = 200

func (r *run) report(ctx context.Context, elapsed time.Duration) (*Report, error) {
	zero, err := hyperlocal.NewMoney(0, r.plan.Currency)
	if err != nil {
		return nil, err
	}
	out := &Report{
		RejectedRows: make([]RejectedRow, len(r.file.Rejected)), Conflicts: append([]Conflict{}, r.conflicts...),
		Notes: make([]RejectedRow, len(r.file.Notes)), MoreNotes: r.file.MoreNotes,
		Sales: zero, Credited: zero, RefundedToOrders: zero, CreditNotes: zero, Net: zero,
		Invariants: make(map[string]int), ElapsedMS: elapsed.Milliseconds(),
	}
	for i, row := range r.file.Rejected {
		out.RejectedRows[i] = RejectedRow{Line: row.Line, Reason: row.Reason, Text: row.Text}
	}
	for i, n := range r.file.Notes {
		out.Notes[i] = RejectedRow{Line: n.Line, Reason: n.Reason, Text: n.Text}
	}
	for _, f := range []func(context.Context, *Report) error{r.countOrders, r.countCredits, r.countStock, r.checkBooks} {
		if err := f(ctx, out); err != nil {
			return nil, fmt.Errorf("reading the result: %w", err)
		}
	}
	if out.Credited, err = out.RefundedToOrders.Add(out.CreditNotes); err != nil {
		return nil, err
	}
	if out.Net, err = out.Sales.Sub(out.Credited); err != nil {
		return nil, err
	}
	if elapsed > 0 {
		out.OrdersPerSecond = int64(out.Orders) * int64(time.Second) / int64(elapsed)
	}
	return out, nil
}

// countOrders adds up the orders of the file and the points that they earned.
func (r *run) countOrders(ctx context.Context, out *Report) error {
	for from := 0; from < len(r.plan.Orders); from += readChunk {
		var refs []hyperlocal.External
		for _, p := range r.plan.Orders[from:min(from+readChunk, len(r.plan.Orders))] {
			if len(p.Lines) > 0 {
				refs = append(refs, hyperlocal.External{Source: Source, Reference: p.Number})
			}
		}
		orders, err := r.app.DB.Orders.ByExternal(ctx, Tenant, refs...)
		if err != nil {
			return err
		}
		var sources loyalty.LotQuery
		for i := range orders {
			o := &orders[i]
			if o.State != order.Completed {
				continue // a conflict: nothing was sold
			}
			out.Orders++
			if out.Sales, err = out.Sales.Add(o.Total); err != nil {
				return err
			}
			sources.Sources = append(sources.Sources, hyperlocal.TenantRef{Tenant: Tenant, Ref: o.ID.Ref()})
		}
		lots, err := r.app.DB.Loyalty.Lots(ctx, sources)
		if err != nil {
			return err
		}
		for i := range lots {
			out.Points += lots[i].Earned
		}
	}
	return nil
}

// countCredits adds up the credits of the file: what went to orders and what is a note.
func (r *run) countCredits(ctx context.Context, out *Report) error {
	for i := range r.plan.Credits {
		if empty(&r.plan.Credits[i]) {
			out.Credits++ // there is nothing to read
			continue
		}
		c, ok, err := r.app.DB.Orders.CreditByExternal(ctx, Tenant,
			hyperlocal.External{Source: Source, Reference: r.plan.Credits[i].Number})
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		out.Credits++
		if out.CreditNotes, err = out.CreditNotes.Add(c.NoteAmount); err != nil {
			return err
		}
		for _, f := range c.Refunds {
			if f.State != order.RefundSucceeded {
				continue
			}
			if out.RefundedToOrders, err = out.RefundedToOrders.Add(f.Amount); err != nil {
				return err
			}
		}
	}
	return nil
}

// countStock counts the write-offs that are booked, with those that move nothing, and what
// is left on the shelves.
func (r *run) countStock(ctx context.Context, out *Report) error {
	var refs []hyperlocal.External
	flush := func() error {
		if len(refs) == 0 {
			return nil
		}
		moves, err := r.s.Stock.ByExternal(ctx, Tenant, refs...)
		out.WriteOffLines += len(moves)
		refs = refs[:0]
		return err
	}
	for i := range r.plan.Orders {
		for _, row := range r.plan.Orders[i].WriteOffs {
			if !row.Goods {
				out.WriteOffLines++
				continue
			}
			refs = append(refs, hyperlocal.External{Source: Source, Reference: retail.Reference(r.plan.Orders[i].Number, row.Index)})
			if len(refs) == readChunk {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return r.countLevels(ctx, out)
}

func (r *run) checkBooks(ctx context.Context, out *Report) error {
	bad, err := r.s.Ledger.Unbalanced(ctx, Tenant, 1)
	if err != nil {
		return err
	}
	out.JournalBalanced = len(bad) == 0
	res, err := audit.Run(ctx, r.app.DB.Audit)
	if err != nil {
		return err
	}
	for _, inv := range res.Invariants {
		out.Invariants[inv.Name] = inv.Violations
	}
	return nil
}

// countLevels adds up what is on hand of the items of the file.
func (r *run) countLevels(ctx context.Context, out *Report) error {
	for from := 0; from < len(r.plan.Opening); from += readChunk {
		part := r.plan.Opening[from:min(from+readChunk, len(r.plan.Opening))]
		keys := make([]inventory.Key, len(part))
		for i, o := range part {
			keys[i] = inventory.Key{Tenant: Tenant, Item: hyperlocal.ItemID(o.Code), Location: Location}
		}
		levels, err := r.s.Stock.Levels(ctx, keys...)
		if err != nil {
			return err
		}
		for _, l := range levels {
			out.UnitsLeft += l.OnHand.Value()
		}
	}
	return nil
}
