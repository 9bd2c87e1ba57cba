package order

import "github.com/hyperlocal-sdk/hyperlocal"

// content digests what a repetition of a command must repeat. Personal data (Note, Contact)
// stays out of it, because the fingerprint is kept for ever with the order; so do tenant,
// actor and key, which say who asks. The numbers are those of [hyperlocal.Digest]: a field
// that is added takes the next one.
func (c *PlaceCommand) content() string {
	d := hyperlocal.NewDigest("order.place/1")
	d.Ref(1, c.Merchant)
	d.Ref(2, c.Customer)
	d.External(3, c.External)
	d.Text(4, c.Channel)
	d.Text(5, c.Group)
	d.Text(6, string(c.Currency))
	d.Text(7, string(c.Fulfilment))
	d.Flag(8, c.PayLater)
	d.List(9, len(c.Lines))
	for i := range c.Lines {
		c.Lines[i].digest(d)
	}
	d.List(10, len(c.Adjustments))
	for i := range c.Adjustments {
		c.Adjustments[i].digest(d)
	}
	d.List(11, len(c.Spend))
	for _, s := range c.Spend {
		d.Text(1, s.Kind)
		d.Ref(2, s.Ref)
		d.Int(3, s.Amount)
		d.End()
	}
	d.Time(12, c.RequestedFrom)
	d.Time(13, c.RequestedTo)
	d.Time(14, c.At)
	d.Text(15, c.TimeZone)
	d.Text(16, c.Locale)
	d.JSON(17, c.Custom)
	return d.Sum()
}

func (l *PlaceLine) digest(d *hyperlocal.Digest) {
	d.Text(1, string(l.Kind))
	d.Int(2, int64(l.Parent))
	d.Text(3, l.Group)
	d.Ref(4, l.Variant)
	d.Text(5, l.Code)
	d.Text(6, string(l.Item))
	d.Text(7, string(l.Location))
	d.Text(8, l.Title)
	d.List(9, len(l.Options))
	for _, o := range l.Options {
		d.Text(1, o.Name)
		d.Text(2, o.Value)
		d.End()
	}
	d.Quantity(10, l.Quantity)
	d.Money(11, l.UnitPrice)
	d.Quantity(12, l.PriceQuantity)
	d.JSON(13, l.Custom)
	d.End()
}

func (a *Adjustment) digest(d *hyperlocal.Digest) {
	d.Int(1, int64(a.Line))
	d.Text(2, string(a.Kind))
	d.Money(3, a.Amount)
	d.Flag(4, a.Included)
	d.Text(5, a.Source)
	d.Text(6, a.Title)
	d.List(7, len(a.Funding))
	for _, f := range a.Funding {
		d.Ref(1, f.Party)
		d.Money(2, f.Amount)
		d.End()
	}
	d.End()
}

// request is what a repetition under one key must repeat: content, with the personal data.
// It lives as long as the key.
func (c *PlaceCommand) request(content string) string {
	if c.Note == "" && c.Contact == nil {
		return content
	}
	d := hyperlocal.NewDigest("order.place.key/1")
	d.Text(1, content)
	d.Text(2, c.Note)
	if c.Contact != nil {
		d.List(3, 1)
		c.Contact.digest(d)
	}
	return d.Sum()
}

func (c *Contact) digest(d *hyperlocal.Digest) {
	d.Text(1, c.Name)
	d.Text(2, c.Phone)
	d.Text(3, c.Email)
	d.List(4, len(c.Address.Lines))
	for _, line := range c.Address.Lines {
		d.Text(1, line)
		d.End()
	}
	d.Text(5, c.Address.PostalCode)
	d.Text(6, c.Address.City)
	d.Text(7, c.Address.Region)
	d.Text(8, c.Address.Country)
	d.Int(9, c.Address.LatitudeE6)
	d.Int(10, c.Address.LongitudeE6)
	d.End()
}
