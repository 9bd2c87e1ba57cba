package order

import (
	"context"
	"encoding/json"
	"io"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Exported is one line of an export: an order, whole, with its refunds and history.
type Exported struct {
	Order   Order          `json:"order"`
	Refunds []Refund       `json:"refunds,omitempty"`
	History []HistoryEntry `json:"history"`
}

// Export writes the orders of a tenant to w, newest first, one JSON object per line. It
// starts behind since ("" for the first order) and returns the cursor behind the last page
// that it wrote in full, with which a broken export goes on; "" when it came to the end. It
// holds one page in memory, and no transaction: orders placed meanwhile may be missing.
//
// It contains personal data.
func (s *Service) Export(ctx context.Context, w io.Writer, tenant hyperlocal.TenantID, since string) (next string, err error) {
	if err := tenant.Validate(); err != nil {
		return since, err
	}
	lines := json.NewEncoder(w)
	for {
		page, err := s.config.Store.List(ctx, tenant, Filter{}, hyperlocal.PageRequest{Limit: hyperlocal.MaxPageLimit, Cursor: since})
		if err != nil {
			return since, err
		}
		if err := s.exportPage(ctx, lines, tenant, page.Items); err != nil {
			return since, err
		}
		if since = page.Next; since == "" {
			return "", nil
		}
	}
}

func (s *Service) exportPage(ctx context.Context, lines *json.Encoder, tenant hyperlocal.TenantID, listed []Order) error {
	if len(listed) == 0 {
		return nil
	}
	ids := make([]ID, len(listed))
	for i := range listed {
		ids[i] = listed[i].ID
	}
	whole, err := s.config.Store.Get(ctx, tenant, ids...)
	if err != nil {
		return err
	}
	refunds, err := s.config.Store.Refunds(ctx, tenant, ids...)
	if err != nil {
		return err
	}
	of := make(map[ID][]Refund)
	for _, r := range refunds {
		of[r.Order] = append(of[r.Order], r)
	}
	for i := range whole {
		history, err := s.allHistory(ctx, tenant, whole[i].ID)
		if err != nil {
			return err
		}
		if err := lines.Encode(Exported{Order: whole[i], Refunds: of[whole[i].ID], History: history}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) allHistory(ctx context.Context, tenant hyperlocal.TenantID, id ID) ([]HistoryEntry, error) {
	var all []HistoryEntry
	request := hyperlocal.PageRequest{Limit: hyperlocal.MaxPageLimit}
	for {
		page, err := s.config.Store.History(ctx, tenant, id, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if request.Cursor = page.Next; request.Cursor == "" {
			return all, nil
		}
	}
}
