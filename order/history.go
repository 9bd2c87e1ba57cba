package order

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// History returns what happened to an order, oldest first by (Version, N). An order that does
// not exist has none.
func (s *Service) History(ctx context.Context, tenant hyperlocal.TenantID, id ID, p hyperlocal.PageRequest,
) (hyperlocal.Page[HistoryEntry], error) {
	if err := problem(tenant.Validate(), checkID(id)); err != nil {
		return hyperlocal.Page[HistoryEntry]{}, err
	}
	return s.config.Store.History(ctx, tenant, id, p)
}
