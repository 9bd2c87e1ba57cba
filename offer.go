package hyperlocal

// Offer is what can be bought of a variant right now, and at what price.
type Offer struct {
	Variant       Ref
	Code          string // SKU
	Title         string
	Kind          string     // line kind: "goods", "service", ...
	UnitPrice     Money      // per PriceQuantity
	PriceQuantity Quantity   // what the price is for
	Item          ItemID     // stock item, "" when not stocked
	Location      LocationID // where it is stocked
	Err           error      // why it cannot be bought; the other fields are then zero
}
