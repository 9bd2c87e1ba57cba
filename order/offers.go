package order

import (
	"cmp"
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// quote fills in the lines that state no price, before the transaction: one question per
// merchant of the batch.
func (s *Service) quote(ctx context.Context, items []placing) error {
	type shop struct {
		tenant   hyperlocal.TenantID
		merchant hyperlocal.Ref
	}
	var shops []shop
	wanted := make(map[shop][]hyperlocal.Ref)
	for i := range items {
		p := &items[i]
		if p.err != nil {
			continue
		}
		at := shop{p.command.Tenant, p.command.Merchant}
		open := false
		for _, l := range p.command.Lines {
			if l.UnitPrice != (hyperlocal.Money{}) {
				continue
			}
			open = true
			if len(wanted[at]) == 0 {
				shops = append(shops, at)
			}
			if !slices.Contains(wanted[at], l.Variant) {
				wanted[at] = append(wanted[at], l.Variant)
			}
		}
		if open {
			p.lines = slices.Clone(p.command.Lines)
		}
	}
	offers := make(map[shop]map[hyperlocal.Ref]Offer)
	for _, at := range shops {
		if s.config.Offers == nil {
			continue
		}
		answers, err := s.config.Offers.Offers(ctx, at.tenant, at.merchant, wanted[at])
		if err != nil {
			return err
		}
		if len(answers) != len(wanted[at]) {
			return errMachine.WithMessage("the catalogue answered %d variants out of %d", len(answers), len(wanted[at]))
		}
		offers[at] = make(map[hyperlocal.Ref]Offer, len(answers))
		for k, o := range answers {
			offers[at][wanted[at][k]] = o
		}
	}
	for i := range items {
		p := &items[i]
		for k := range p.lines {
			if p.err != nil || p.lines[k].UnitPrice != (hyperlocal.Money{}) {
				continue
			}
			if s.config.Offers == nil {
				p.err = ErrNotConfigured.With("missing", "offers")
				continue
			}
			offer := offers[shop{p.command.Tenant, p.command.Merchant}][p.lines[k].Variant]
			p.err = atLine(p.lines[k].fill(offer, k+1), k+1)
		}
	}
	return nil
}

// fill takes what the caller left open from an offer.
func (l *PlaceLine) fill(o Offer, n int) error {
	if o.Err != nil {
		return o.Err
	}
	l.UnitPrice, l.PriceQuantity, l.Item, l.Location = o.UnitPrice, o.PriceQuantity, o.Item, o.Location
	l.Title, l.Code = cmp.Or(l.Title, o.Title), cmp.Or(l.Code, o.Code)
	l.Kind = cmp.Or(l.Kind, LineKind(o.Kind))
	// The catalogue is trusted with a price, not with the limits of an order.
	return l.validate(n)
}
