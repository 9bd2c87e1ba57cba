package audit

import (
	"context"
	"strings"
)

// lotSums is a lot with what its movements add up to.
type lotSums struct {
	Lot
	movements int64
}

func (a *auditor) readLoyalty(ctx context.Context, t Tables) error {
	if err := t.Lots(ctx, func(l Lot) error {
		a.lots[l.ID] = &lotSums{Lot: l}
		a.elsewhere[l.ID.ID] = l.ID.Tenant
		a.members[Account{Tenant: l.ID.Tenant, Path: "points/" + l.Member, Asset: "POINTS"}] += l.Remaining
		if id, ok := strings.CutPrefix(l.Source, "order/"); ok && a.orders[ID{l.ID.Tenant, id}] == nil {
			a.missing("lot "+l.ID.ID, ID{l.ID.Tenant, id})
		}
		return nil
	}); err != nil {
		return err
	}
	if err := t.LotMovements(ctx, func(m LotMovement) error {
		l := a.lots[m.Lot]
		if l == nil {
			a.missing("a movement of points", m.Lot)
			return nil
		}
		l.movements += m.Points
		return nil
	}); err != nil {
		return err
	}
	for id, l := range a.lots {
		if l.Remaining != l.movements || l.Remaining < 0 {
			a.violate(LotIsMovements, "tenant %s lot %s: %d points left, movements say %d", id.Tenant, id.ID, l.Remaining, l.movements)
		}
	}
	return nil
}

// readEvents checks that no event left before a lower one of its aggregate.
func (a *auditor) readEvents(ctx context.Context, t Tables) error {
	type aggregate struct{ tenant, ref string }
	type at struct {
		version int64
		n       int
	}
	less := func(a, b at) bool { return a.version < b.version || a.version == b.version && a.n < b.n }
	pending, published := make(map[aggregate]at), make(map[aggregate]at)
	if err := t.Events(ctx, func(e Event) error {
		k, v := aggregate{e.Tenant, e.Aggregate}, at{e.Version, e.N}
		if e.Published {
			if was, ok := published[k]; !ok || less(was, v) {
				published[k] = v
			}
			return nil
		}
		if was, ok := pending[k]; !ok || less(v, was) {
			pending[k] = v
		}
		return nil
	}); err != nil {
		return err
	}
	for k, low := range pending {
		if high, ok := published[k]; ok && less(low, high) {
			a.violate(EventsInOrder, "tenant %s %s: %d.%d is published, %d.%d is not", k.tenant, k.ref, high.version, high.n, low.version, low.n)
		}
	}
	return nil
}
