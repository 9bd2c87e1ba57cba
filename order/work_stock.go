package order

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// revivals is what the stock says to the expired orders of one transaction whose money came
// after all. It is asked once for all of them: what the first is given, the next cannot have.
type revivals struct {
	decision hyperlocal.Decision
	at       map[*change]int
}

// revive confirms an expired order whose money came late, if its stock can be had again.
func (w *work) revive(ctx context.Context, c *change, d doer) (bool, error) {
	if !w.s.states.Can(Expired, TriggerLateCapture, "", &c.o) {
		return false, nil
	}
	// The points of the placement are the member's again and may be spent: the order would be
	// confirmed at a price that nobody has paid.
	if w.s.spentBack(&c.o) {
		return false, nil
	}
	if c.stocked() {
		if w.s.config.Stock == nil {
			return false, nil
		}
		if w.revivals == nil {
			if err := w.askStock(ctx, d); err != nil {
				return false, err
			}
		}
		i := w.revivals.at[c]
		if w.revivals.decision.Check(i) != nil {
			return false, nil //nolint:nilerr // it stays expired: that is an answer
		}
		w.revivals.decision.Take(i)
	}
	d.reason = ReasonLateCapture
	return true, w.fire(ctx, c, TriggerLateCapture, d.own())
}

// askStock has the stock decide about all orders of the transaction, which locks all that any
// of them may need, in one pass.
func (w *work) askStock(ctx context.Context, d doer) error {
	w.revivals = &revivals{at: make(map[*change]int, len(w.changes))}
	batch := make([]hyperlocal.Placement, len(w.changes))
	for i, c := range w.changes {
		w.revivals.at[c] = i
		batch[i] = hyperlocal.Placement{
			Tenant: c.o.Tenant, Order: c.o.ID.Ref(), Merchant: c.o.Merchant, Customer: c.o.Customer, Total: c.o.Total,
			At: d.at, Actor: d.actor, Items: demand(nil, &c.o),
		}
	}
	decision, err := w.s.config.Stock.Decide(ctx, batch)
	if err != nil {
		return err
	}
	w.revivals.decision = decision
	return nil
}

// flushStock carries out what the orders do to the stock.
func (w *work) flushStock(ctx context.Context) error {
	stock := w.s.config.Stock
	if stock == nil {
		return nil
	}
	commits, releases := grouped(w.commits), grouped(w.releases)
	passes := len(commits) + len(releases) + min(len(w.returns), 1)
	switch {
	case w.revivals != nil:
		if err := w.revivals.decision.Apply(ctx); err != nil {
			return err
		}
	case passes > 1:
		// Each pass locks levels in sorted order, but the second may want some that come before
		// those of the first. So all of them are locked beforehand; nothing is taken.
		if err := w.askStock(ctx, w.system("")); err != nil {
			return err
		}
	}
	for _, g := range commits {
		if err := stock.CommitReserved(ctx, g.at, g.actor, g.owners...); err != nil {
			return err
		}
	}
	for _, g := range releases {
		if err := stock.ReleaseReserved(ctx, g.at, g.actor, g.reason, g.owners...); err != nil {
			return err
		}
	}
	if len(w.returns) == 0 {
		return nil
	}
	return stock.Return(ctx, w.returns...)
}

// moveGroup are moves that the port takes in one call.
type moveGroup struct {
	stockMove
	owners []hyperlocal.TenantRef
}

// grouped puts moves of one time, actor and reason together. A batch of commands of one
// caller is one group.
func grouped(moves []stockMove) []*moveGroup {
	type key struct {
		at     time.Time
		actor  hyperlocal.Actor
		reason string
	}
	var groups []*moveGroup
	found := make(map[key]*moveGroup)
	for _, m := range moves {
		k := key{m.at, m.actor, m.reason}
		g := found[k]
		if g == nil {
			g = &moveGroup{stockMove: m}
			found[k] = g
			groups = append(groups, g)
		}
		g.owners = append(g.owners, m.owner)
	}
	return groups
}
