package order

import (
	"cmp"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// draft turns a placement with all prices into an order without identity, state and times.
// Everything is computed in checked arithmetic: an order whose total does not fit, is
// negative or mixes currencies is refused with code invalid.
func draft(o *Order, c *PlaceCommand, lines []PlaceLine, rounding hyperlocal.Rounding) error {
	zero, err := hyperlocal.NewMoney(0, c.Currency)
	if err != nil {
		return err
	}
	*o = Order{
		Tenant: c.Tenant, Merchant: c.Merchant, Channel: c.Channel, Group: c.Group, External: c.External,
		Customer: c.Customer, Currency: c.Currency, Fulfilment: cmp.Or(c.Fulfilment, FulfilmentPickup),
		Authorized: zero, Captured: zero, Refunded: zero,
		RequestedFrom: hyperlocal.Instant(c.RequestedFrom), RequestedTo: hyperlocal.Instant(c.RequestedTo),
		TimeZone: c.TimeZone, Locale: c.Locale, Note: c.Note, Custom: c.Custom, Contact: c.Contact,
		Lines: make([]Line, len(lines)),
	}
	var few [16]hyperlocal.Money
	amounts := few[:0]
	for i := range lines {
		if err := lines[i].price(&o.Lines[i], i+1, c.Currency, rounding); err != nil {
			return atLine(err, i+1)
		}
		amounts = append(amounts, o.Lines[i].Amount)
	}
	if o.LinesTotal, err = hyperlocal.Sum(c.Currency, amounts...); err != nil {
		return err
	}
	for i, a := range c.Adjustments {
		a.N = i + 1
		o.Adjustments = append(o.Adjustments, a)
		if !a.Included {
			amounts = append(amounts, a.Amount)
		}
	}
	if o.Total, err = hyperlocal.Sum(c.Currency, amounts...); err != nil {
		return err
	}
	if o.Total.Sign() < 0 {
		return invalid("total", "the reductions exceed the price").With("total", o.Total)
	}
	return nil
}

// price makes one line.
func (l *PlaceLine) price(to *Line, n int, c hyperlocal.Currency, rounding hyperlocal.Rounding) error {
	if l.UnitPrice.Currency() != c {
		return hyperlocal.ErrCurrencyMismatch.With("left", c).With("right", l.UnitPrice.Currency())
	}
	if l.UnitPrice.Sign() < 0 {
		return invalid("unit_price", "a price is not negative; a reduction is an adjustment")
	}
	if l.Title == "" {
		return invalid("title", "a line has a title")
	}
	per := l.PriceQuantity
	if per == (hyperlocal.Quantity{}) {
		one, err := hyperlocal.NewQuantity(1, l.Quantity.Unit())
		if err != nil {
			return err
		}
		per = one
	}
	amount, err := hyperlocal.LineAmount(l.UnitPrice, per, l.Quantity, rounding)
	if err != nil {
		return err
	}
	*to = Line{
		N: n, Kind: cmp.Or(l.Kind, LineGoods), Parent: l.Parent, Group: l.Group, Variant: l.Variant, Code: l.Code,
		Item: l.Item, Location: l.Location, Title: l.Title, Options: l.Options, Quantity: l.Quantity,
		UnitPrice: l.UnitPrice, PriceQuantity: per, Amount: amount, Custom: l.Custom,
	}
	return nil
}
