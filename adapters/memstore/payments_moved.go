package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

var _ payment.MovedReader = (*Payments)(nil)

// MovedByReference implements [payment.MovedReader]. It looks at every operation.
func (s *Payments) MovedByReference(ctx context.Context, tenant hyperlocal.TenantID, gateway string, references ...string) (found []payment.Moved, err error) {
	if len(references) > payment.MaxMoved {
		return nil, hyperlocal.Invalid("payment", "references", "at most 10000 references are looked up at once")
	}
	wanted := make(map[string]bool, len(references))
	for _, r := range references {
		wanted[r] = true
	}
	err = s.db.read(ctx, func() error {
		for k, op := range s.t.operations.all() {
			m, ok := op.Moved()
			if ok && k.Tenant == tenant && m.Gateway == gateway &&
				(wanted[m.Key] || m.Provider != "" && wanted[m.Provider] || wanted[m.Intent]) {
				found = append(found, m)
			}
		}
		return nil
	})
	return found, err
}

// MovedBetween implements [payment.MovedReader].
func (s *Payments) MovedBetween(ctx context.Context, r payment.MovedRange, limit int) (found []payment.Moved, err error) {
	if limit < 1 || limit > payment.MaxMoved {
		return nil, hyperlocal.Invalid("payment", "limit", "a page has 1 to 10000 rows")
	}
	if r.AfterOperation != "" && !hyperlocal.ValidID(r.AfterOperation) {
		return nil, hyperlocal.Invalid("payment", "after_operation", "give the id of an operation, or none")
	}
	order := func(a, b payment.Moved) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Operation, b.Operation))
	}
	after := payment.Moved{At: r.AfterAt, Operation: r.AfterOperation}
	err = s.db.read(ctx, func() error {
		for k, op := range s.t.operations.all() {
			m, ok := op.Moved()
			if !ok || k.Tenant != r.Tenant || m.Gateway != r.Gateway || m.At.Before(r.From) || !m.At.Before(r.Until) ||
				r.AfterOperation != "" && order(m, after) <= 0 {
				continue
			}
			found = append(found, m)
		}
		return nil
	})
	slices.SortFunc(found, order)
	return found[:min(len(found), limit)], err
}
