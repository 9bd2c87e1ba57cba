package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// InsertCredit implements [order.Store].
func (s *Orders) InsertCredit(ctx context.Context, credits ...order.Credit) error {
	return s.write(ctx, func(t *tx) error {
		for _, c := range credits {
			k := refundKey{c.Tenant, c.ID}
			if _, ok := s.t.credits.get(k); ok {
				return order.ErrStale.With("credit", c.ID)
			}
			if !c.External.IsZero() {
				external := orderExternal{c.Tenant, c.External}
				if _, ok := s.t.creditExternals.get(external); ok {
					return order.ErrExternalTaken
				}
				s.t.creditExternals.put(t, external, c.ID)
			}
			ids := make([]string, len(c.Refunds))
			for i := range c.Refunds {
				ids[i] = c.Refunds[i].ID
				if err := s.insertRefund(t, c.Refunds[i]); err != nil {
					return err
				}
			}
			c.Refunds = nil
			s.t.credits.put(t, k, c)
			s.t.creditRefunds.put(t, k, ids)
		}
		return nil
	})
}

func (s *Orders) insertRefund(t *tx, r order.Refund) error {
	of := order.Key{Tenant: r.Tenant, ID: r.Order}
	if _, ok := s.t.orders.get(of); !ok {
		return order.ErrNotFound.With("order", r.Order)
	}
	ids, _ := s.t.refundsOf.get(of)
	s.t.refundsOf.put(t, of, append(slices.Clip(ids), r.ID))
	s.putRefund(t, r)
	return nil
}

func (s *Orders) putRefund(t *tx, r order.Refund) {
	k := refundKey{r.Tenant, r.ID}
	r.Items = slices.Clone(r.Items)
	s.t.refunds.put(t, k, r)
	if r.NextActionAt.IsZero() {
		s.t.refundsDue.del(t, k)
		return
	}
	s.t.refundsDue.put(t, k, r.NextActionAt)
}

// LockRefunds implements [order.Store].
func (s *Orders) LockRefunds(ctx context.Context, tenant hyperlocal.TenantID, ids []string) (found []order.Refund, err error) {
	t, err := s.db.must(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.lock(hyperlocal.RankOrder); err != nil {
		return nil, err
	}
	err = s.db.read(ctx, func() error { found = s.refundsBy(tenant, ids); return nil })
	return found, err
}

// SaveRefunds implements [order.Store].
func (s *Orders) SaveRefunds(ctx context.Context, refunds []order.Refund) error {
	return s.write(ctx, func(t *tx) error {
		for _, r := range refunds {
			old, ok := s.t.refunds.get(refundKey{r.Tenant, r.ID})
			if !ok || old.Version != r.Version-1 {
				return order.ErrStale.With("refund", r.ID)
			}
			s.putRefund(t, r)
		}
		return nil
	})
}

// DueRefunds implements [order.Store].
func (s *Orders) DueRefunds(ctx context.Context, now time.Time, limit int) (due []order.Refund, next time.Time, err error) {
	err = s.db.read(ctx, func() error {
		var keys []refundKey
		keys, next = dueNow(s.t.refundsDue, now, limit, func(a, b refundKey) int {
			return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.id, b.id))
		})
		for _, k := range keys {
			due = append(due, s.refundsBy(k.tenant, []string{k.id})...)
		}
		return nil
	})
	return due, next, err
}

// Refunds implements [order.Reader].
func (s *Orders) Refunds(ctx context.Context, tenant hyperlocal.TenantID, ids ...order.ID) (found []order.Refund, err error) {
	err = s.db.read(ctx, func() error {
		for _, id := range ids {
			of, _ := s.t.refundsOf.get(order.Key{Tenant: tenant, ID: id})
			found = append(found, s.refundsBy(tenant, of)...)
		}
		return nil
	})
	slices.SortFunc(found, func(a, b order.Refund) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return found, err
}

func (s *Orders) refundsBy(tenant hyperlocal.TenantID, ids []string) []order.Refund {
	var found []order.Refund
	for _, id := range ids {
		if r, ok := s.t.refunds.get(refundKey{tenant, id}); ok {
			r.Items = slices.Clone(r.Items)
			found = append(found, r)
		}
	}
	return found
}

// CreditByExternal implements [order.Reader].
func (s *Orders) CreditByExternal(ctx context.Context, tenant hyperlocal.TenantID, ref hyperlocal.External,
) (c order.Credit, ok bool, err error) {
	err = s.db.read(ctx, func() error {
		var id string
		if id, ok = s.t.creditExternals.get(orderExternal{tenant, ref}); ok {
			c, ok = s.credit(refundKey{tenant, id})
		}
		return nil
	})
	return c, ok, err
}

// GetCredit implements [order.Reader].
func (s *Orders) GetCredit(ctx context.Context, tenant hyperlocal.TenantID, id string) (c order.Credit, ok bool, err error) {
	err = s.db.read(ctx, func() error { c, ok = s.credit(refundKey{tenant, id}); return nil })
	return c, ok, err
}

func (s *Orders) credit(k refundKey) (order.Credit, bool) {
	c, ok := s.t.credits.get(k)
	if !ok {
		return c, false
	}
	ids, _ := s.t.creditRefunds.get(k)
	c.Refunds = s.refundsBy(k.tenant, ids)
	return c, true
}
