package order

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits of the parts of an order, in bytes or pieces.
const (
	maxSlug         = 32  // line kinds
	maxLabel        = 64  // channel, group, time zone
	maxCode         = 128 // SKU, source, item, location
	maxLocale       = 35  // the longest language tag that BCP 47 calls sufficient
	maxOptions      = 50
	maxFunding      = 20
	maxSpend        = 50
	maxMethod       = 255
	maxRefundItems  = MaxLines
	maxCreditParts  = MaxBatch
	maxContactText  = 200
	maxAddressLines = 10
)

// firstYear and lastYear bound an effective time to what both databases can keep and every
// JSON reader can read.
const (
	firstYear = 1970
	lastYear  = 9999
)

// checkAt refuses an effective time that cannot be stored. The zero time is fine.
func checkAt(field string, at time.Time) error {
	if at.IsZero() {
		return nil
	}
	if y := at.UTC().Year(); y < firstYear || y > lastYear {
		return hyperlocal.Invalid("order", field, "the time lies between the years 1970 and 9999")
	}
	return nil
}

// checkID refuses what is no order id; such an order cannot exist.
func checkID(id ID) error {
	if !hyperlocal.ValidID(string(id)) {
		return ErrNotFound
	}
	return nil
}

func invalid(field, message string) *hyperlocal.Error {
	return hyperlocal.Invalid("order", field, message)
}

// atLine tells in which line the offending input is.
func atLine(err error, n int) error {
	if e, ok := err.(*hyperlocal.Error); ok { //nolint:errorlint // only an error made here, unwrapped, is decorated
		return e.With("line", n)
	}
	return err
}

// problem returns the first error that is not nil.
func problem(checks ...error) error {
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkSlug refuses what is not a short lower-case name.
func checkSlug(field, text string) error {
	if text == "" || len(text) > maxSlug {
		return invalid(field, "a kind has 1 to 32 characters")
	}
	for i := range len(text) {
		if c := text[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return invalid(field, "a kind consists of a-z, 0-9 and _")
		}
	}
	return nil
}

// checkObject refuses custom data that is not one JSON object within the limit.
func checkObject(field string, raw json.RawMessage, limit int) error {
	if raw == nil {
		return nil
	}
	if len(raw) > limit {
		return invalid(field, "the object is too long").With("limit_bytes", limit)
	}
	if t := bytes.TrimLeft(raw, " \t\r\n"); len(t) == 0 || t[0] != '{' || !json.Valid(raw) {
		return invalid(field, "custom data is one JSON object")
	}
	if bytes.Contains(raw, []byte(`\u0000`)) {
		return invalid(field, "custom data holds the character NUL, which PostgreSQL cannot store")
	}
	return nil
}

// validate refuses everything about a placement that does not depend on prices or stock.
func (c *PlaceCommand) validate() error {
	if err := problem(
		c.Tenant.Validate(),
		c.Actor.Validate(),
		hyperlocal.IdempotencyKey{Tenant: c.Tenant, Key: c.Key}.Validate(),
		c.External.Validate(),
		c.Customer.Validate(),
		c.Merchant.Validate(),
		checkAt("at", c.At),
		checkAt("requested_from", c.RequestedFrom),
		checkAt("requested_to", c.RequestedTo),
		hyperlocal.CheckText("order", "channel", c.Channel, maxLabel),
		hyperlocal.CheckText("order", "group", c.Group, maxLabel),
		hyperlocal.CheckText("order", "time_zone", c.TimeZone, maxLabel),
		hyperlocal.CheckText("order", "locale", c.Locale, maxLocale),
		hyperlocal.CheckText("order", "note", c.Note, MaxNote),
		checkObject("custom", c.Custom, MaxCustom),
		c.Contact.validate(),
	); err != nil {
		return err
	}
	if c.Merchant.IsZero() {
		return invalid("merchant", "an order names its merchant")
	}
	if _, err := hyperlocal.ParseCurrency(string(c.Currency)); err != nil {
		return err
	}
	switch c.Fulfilment {
	case "", FulfilmentDelivery, FulfilmentPickup, FulfilmentOnTheSpot, FulfilmentService, FulfilmentDigital:
	default:
		return invalid("fulfilment", "the fulfilment is delivery, pickup, on_the_spot, service or digital")
	}
	if !c.RequestedTo.IsZero() && c.RequestedTo.Before(c.RequestedFrom) {
		return invalid("requested_to", "the requested window ends before it begins")
	}
	if len(c.Lines) == 0 || len(c.Lines) > MaxLines {
		return invalid("lines", "an order has 1 to 5000 lines")
	}
	if len(c.Adjustments) > MaxAdjustments {
		return invalid("adjustments", "an order has at most 1000 adjustments")
	}
	for i := range c.Lines {
		if err := c.Lines[i].validate(i + 1); err != nil {
			return atLine(err, i+1)
		}
	}
	for i := range c.Adjustments {
		if err := c.Adjustments[i].validate(c.Currency, len(c.Lines)); err != nil {
			return err
		}
	}
	return checkSpend(c.Spend)
}

func checkSpend(spend []hyperlocal.Spend) error {
	if len(spend) > maxSpend {
		return invalid("spend", "an order spends at most 50 things")
	}
	for _, s := range spend {
		if s.Amount <= 0 {
			return invalid("spend", "what is spent is positive")
		}
		if err := problem(checkSlug("spend", s.Kind), s.Ref.Validate()); err != nil {
			return err
		}
	}
	return nil
}

// validate checks line n (1-based) but for its price, which may still come from the catalogue.
func (l *PlaceLine) validate(n int) error {
	if l.Kind != "" {
		if err := checkSlug("kind", string(l.Kind)); err != nil {
			return err
		}
	}
	// A parent stands before its children, so that no circle is possible.
	if l.Parent < 0 || l.Parent >= n {
		return invalid("parent", "the parent is the number of an earlier line, or 0 for none")
	}
	if !l.Quantity.IsValid() || l.Quantity.Sign() <= 0 {
		return invalid("quantity", "the quantity is positive and has a unit")
	}
	if l.PriceQuantity != (hyperlocal.Quantity{}) && l.PriceQuantity.Sign() <= 0 {
		return invalid("price_quantity", "a price is for a positive quantity")
	}
	if l.UnitPrice.Sign() < 0 {
		return invalid("unit_price", "a price is not negative; a reduction is an adjustment")
	}
	if (l.Item == "") != (l.Location == "") {
		return invalid("item", "a stocked line names both its item and its location")
	}
	if len(l.Options) > maxOptions {
		return invalid("options", "a line has at most 50 options")
	}
	if l.UnitPrice == (hyperlocal.Money{}) && l.Variant.IsZero() {
		return invalid("unit_price", "a line states its price or the variant that has one")
	}
	for _, o := range l.Options {
		if o.Name == "" {
			return invalid("options", "an option has a name")
		}
		if err := problem(
			hyperlocal.CheckText("order", "options", o.Name, maxCode),
			hyperlocal.CheckText("order", "options", o.Value, MaxTitle),
		); err != nil {
			return err
		}
	}
	return problem(
		l.Variant.Validate(),
		hyperlocal.CheckText("order", "line_group", l.Group, maxLabel),
		hyperlocal.CheckText("order", "code", l.Code, maxCode),
		hyperlocal.CheckText("order", "item", string(l.Item), maxCode),
		hyperlocal.CheckText("order", "location", string(l.Location), maxCode),
		hyperlocal.CheckText("order", "title", l.Title, MaxTitle),
		checkObject("line_custom", l.Custom, MaxLineCustom),
	)
}

func (a *Adjustment) validate(c hyperlocal.Currency, lines int) error {
	switch a.Kind {
	case AdjustDiscount:
		if a.Amount.Sign() > 0 {
			return invalid("adjustment", "a discount is not positive")
		}
	case AdjustTax, AdjustFee, AdjustDelivery, AdjustTip, AdjustDeposit, AdjustRounding:
	default:
		return invalid("adjustment", "the kind is discount, tax, fee, delivery, tip, deposit or rounding")
	}
	if a.Line < 0 || a.Line > lines {
		return invalid("adjustment", "the adjustment names a line that does not exist")
	}
	if a.Amount.Currency() != c {
		return hyperlocal.ErrCurrencyMismatch.With("left", c).With("right", a.Amount.Currency())
	}
	if len(a.Funding) > maxFunding {
		return invalid("funding", "an adjustment is borne by at most 20 parties")
	}
	if err := problem(
		hyperlocal.CheckText("order", "source", a.Source, maxCode),
		hyperlocal.CheckText("order", "title", a.Title, MaxTitle),
	); err != nil || len(a.Funding) == 0 {
		return err
	}
	shares := make([]hyperlocal.Money, len(a.Funding))
	for i, f := range a.Funding {
		if f.Party.IsZero() {
			return invalid("funding", "a share names the party that bears it")
		}
		if err := f.Party.Validate(); err != nil {
			return err
		}
		shares[i] = f.Amount
	}
	sum, err := hyperlocal.Sum(c, shares...)
	if err != nil {
		return err
	}
	if sum != a.Amount {
		return invalid("funding", "the shares do not sum up to the adjustment").With("sum", sum).With("amount", a.Amount)
	}
	return nil
}

// Bounds of coordinates in millionths of a degree.
const (
	maxLatitudeE6  = 90_000_000
	maxLongitudeE6 = 180_000_000
)

func (c *Contact) validate() error {
	if c == nil {
		return nil
	}
	a := c.Address
	if len(a.Lines) > maxAddressLines {
		return invalid("contact", "an address has at most 10 lines")
	}
	for i, text := range append([]string{c.Name, c.Phone, c.Email, a.PostalCode, a.City, a.Region}, a.Lines...) {
		if err := hyperlocal.CheckText("order", "contact", text, maxContactText); err != nil {
			return atLine(err, i)
		}
	}
	if a.Country != "" && (len(a.Country) != 2 || a.Country[0] < 'A' || a.Country[0] > 'Z' || a.Country[1] < 'A' || a.Country[1] > 'Z') {
		return invalid("contact", "the country is an ISO 3166-1 alpha-2 code in upper case")
	}
	if a.LatitudeE6 < -maxLatitudeE6 || a.LatitudeE6 > maxLatitudeE6 || a.LongitudeE6 < -maxLongitudeE6 || a.LongitudeE6 > maxLongitudeE6 {
		return invalid("contact", "the coordinates lie outside the globe")
	}
	return nil
}

// slugOnly returns the text if it is a slug, else "": what a person typed stays out of events.
func slugOnly(text string) string {
	if len(text) > maxLabel {
		return ""
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '/' && c != '.' && c != '-' {
			return ""
		}
	}
	return text
}
