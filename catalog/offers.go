package catalog

import (
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxOffers bounds how many variants one call of Offers names.
const MaxOffers = 100_000

// Offers says what the merchant's variants cost now, in the currency of its shop, in the
// order of variants, read in one statement. An offer whose variant cannot be bought carries
// in Err one of ErrVariantNotFound (also if it is another merchant's), ErrShopClosed,
// ErrNotForSale and ErrNoPrice. Error: code invalid.
func (s *Service) Offers(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref, variants []hyperlocal.Ref) ([]hyperlocal.Offer, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	if len(variants) > MaxOffers {
		return nil, invalid("variants", "the list is too long").With("limit", MaxOffers)
	}
	if err := merchant.Validate(); err != nil {
		return nil, err
	}
	ids := make([]VariantID, 0, len(variants))
	for _, v := range variants {
		if v.Kind == VariantKind && hyperlocal.ValidID(v.ID) {
			ids = append(ids, VariantID(v.ID))
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var found []Sellable
	if len(ids) > 0 && merchant.Kind == MerchantKind {
		var err error
		if found, err = s.store.Sellables(ctx, tenant, merchant, ids...); err != nil {
			return nil, err
		}
	}
	by := make(map[hyperlocal.Ref]hyperlocal.Offer, len(found))
	for _, f := range found {
		by[f.Variant.ID.Ref()] = f.offer()
	}
	offers := make([]hyperlocal.Offer, len(variants))
	for i, v := range variants {
		o, ok := by[v]
		if !ok {
			o = hyperlocal.Offer{Err: ErrVariantNotFound.With("variant", v.ID)}
		}
		offers[i] = o
	}
	return offers, nil
}

func (f Sellable) offer() hyperlocal.Offer {
	v := f.Variant
	refuse := func(e *hyperlocal.Error) hyperlocal.Offer { return hyperlocal.Offer{Err: e.With("variant", v.ID)} }
	switch {
	case f.State != Active:
		return refuse(ErrNotForSale)
	case !f.Open:
		return refuse(ErrShopClosed)
	case !f.Priced:
		return refuse(ErrNoPrice.With("currency", f.Currency))
	}
	title := f.Title
	if v.Title != "" {
		title += ", " + v.Title
	}
	return hyperlocal.Offer{
		Variant: v.ID.Ref(), Code: v.SKU, Title: title, Kind: f.Kind.Line(), UnitPrice: f.Price,
		PriceQuantity: v.PriceQuantity, Item: v.Item, Location: v.Location,
	}
}
