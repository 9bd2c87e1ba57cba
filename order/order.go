package order

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// ID identifies an order: a UUIDv7 in canonical form.
type ID string

// Ref returns the reference under which other contexts know the order.
func (id ID) Ref() hyperlocal.Ref { return hyperlocal.NewRef("order", string(id)) }

// State is where an order stands in its fulfilment. A refund is never a state.
type State string

// The states.
const (
	Placed          State = "placed" // passed through within the placing transaction, never at rest
	AwaitingPayment State = "awaiting_payment"
	Confirmed       State = "confirmed"
	Accepted        State = "accepted"
	Preparing       State = "preparing"
	Ready           State = "ready"
	Dispatched      State = "dispatched"
	Delivered       State = "delivered"
	Completed       State = "completed"
	Cancelled       State = "cancelled"
	Expired         State = "expired"
	DeliveryFailed  State = "delivery_failed"
	NeedsAttention  State = "needs_attention"
)

// PaymentStatus is derived from payment facts and stored.
type PaymentStatus string

// The payment statuses.
const (
	PaymentNoneDue      PaymentStatus = "none_due"
	PaymentDue          PaymentStatus = "due"
	PaymentProcessing   PaymentStatus = "processing"
	PaymentRetry        PaymentStatus = "retry"
	PaymentUnknown      PaymentStatus = "unknown"
	PaymentAuthorized   PaymentStatus = "authorized"
	PaymentPaid         PaymentStatus = "paid"
	PaymentPartRefunded PaymentStatus = "part_refunded"
	PaymentRefunded     PaymentStatus = "refunded"
)

// Fulfilment is how the goods reach the customer.
type Fulfilment string

// The kinds of fulfilment.
const (
	FulfilmentDelivery  Fulfilment = "delivery"
	FulfilmentPickup    Fulfilment = "pickup"
	FulfilmentOnTheSpot Fulfilment = "on_the_spot"
	FulfilmentService   Fulfilment = "service"
	FulfilmentDigital   Fulfilment = "digital"
)

// LineKind says what a line sells.
type LineKind string

// The kinds of line.
const (
	LineGoods    LineKind = "goods"
	LineService  LineKind = "service"
	LineModifier LineKind = "modifier" // belongs to its parent line
	LineBundle   LineKind = "bundle"   // parent of its parts
	LineVoucher  LineKind = "voucher"
	LineFee      LineKind = "fee"
)

// AdjustmentKind says what an adjustment is for.
type AdjustmentKind string

// The kinds of adjustment.
const (
	AdjustDiscount AdjustmentKind = "discount"
	AdjustTax      AdjustmentKind = "tax"
	AdjustFee      AdjustmentKind = "fee"
	AdjustDelivery AdjustmentKind = "delivery"
	AdjustTip      AdjustmentKind = "tip"
	AdjustDeposit  AdjustmentKind = "deposit"
	AdjustRounding AdjustmentKind = "rounding"
)

// Order is an order as it is stored and read. Total = sum of line amounts + sum of the
// adjustments that are not included in a price, at every observable moment.
type Order struct {
	ID         ID                  `json:"id"`
	Tenant     hyperlocal.TenantID `json:"tenant"`
	Number     string              `json:"number"` // for people; unique per tenant, not gapless
	Merchant   hyperlocal.Ref      `json:"merchant"`
	Channel    string              `json:"channel,omitempty"`
	Group      string              `json:"group,omitempty"` // orders that were checked out together
	External   hyperlocal.External `json:"external,omitzero"`
	Customer   hyperlocal.Ref      `json:"customer,omitzero"` // zero for a guest
	Currency   hyperlocal.Currency `json:"currency"`
	Fulfilment Fulfilment          `json:"fulfilment"`

	State         State         `json:"state"`
	PaymentStatus PaymentStatus `json:"payment_status"`
	Version       int64         `json:"version"` // 1 at placement, +1 with every change

	LinesTotal hyperlocal.Money `json:"lines_total"`
	Total      hyperlocal.Money `json:"total"`
	Authorized hyperlocal.Money `json:"authorized"`
	Captured   hyperlocal.Money `json:"captured"`
	Refunded   hyperlocal.Money `json:"refunded"`

	RequestedFrom time.Time       `json:"requested_from,omitzero"` // the customer's window
	RequestedTo   time.Time       `json:"requested_to,omitzero"`
	TimeZone      string          `json:"time_zone,omitempty"` // IANA name for the window
	Locale        string          `json:"locale,omitempty"`
	Note          string          `json:"note,omitempty"`
	Custom        json.RawMessage `json:"custom,omitempty"` // the host's own, an object of at most 16 KiB

	PlacedAt  time.Time `json:"placed_at"`  // effective time: imports set it to when it happened
	CreatedAt time.Time `json:"created_at"` // recording time
	UpdatedAt time.Time `json:"updated_at"`

	// What the clock will do next, and when; zero only for a terminal order.
	NextAction   string    `json:"next_action,omitempty"`
	NextActionAt time.Time `json:"next_action_at,omitzero"`
	Attempts     int       `json:"attempts"`               // payment attempts made so far
	ResumeState  State     `json:"resume_state,omitempty"` // where needs_attention came from

	// PaidWith is how the shopper last chose to pay, for the scheduled retry of a soft decline.
	PaidWith PaymentChoice `json:"-"`

	// Fingerprint digests the content that was placed, to tell a repeated external
	// reference from a conflicting one.
	Fingerprint string `json:"-"`

	Lines       []Line       `json:"lines"`
	Adjustments []Adjustment `json:"adjustments,omitempty"`
	// Spent is what the placement spent through participants. It stays as it is when a
	// [Returner] gives it back.
	Spent   []hyperlocal.Spend `json:"spent,omitempty"`
	Contact *Contact           `json:"contact,omitempty"` // nil when none was given or after erasure
}

// PaymentChoice is how a shopper chose to pay. Method is the gateway's token, never a card
// number; erasing the customer clears both, and the clock charges nobody whose choice is gone.
type PaymentChoice struct {
	Gateway   string `json:"gateway,omitempty"` // DefaultGateway when the shopper named none
	Method    string `json:"method,omitempty"`
	Authorize bool   `json:"authorize,omitempty"` // hold the money first, capture it later
}

// DefaultGateway stands in a [PaymentChoice] for whichever gateway is the default, so that a
// choice that was made can be told from one that was erased.
const DefaultGateway = "*"

// known reports whether the choice says with what to charge without the shopper.
func (c PaymentChoice) known() bool { return c.Gateway != "" }

// gateway is what the payment context is told.
func (c PaymentChoice) gateway() string {
	if c.Gateway == DefaultGateway {
		return ""
	}
	return c.Gateway
}

// Line is one line of an order. Amount = UnitPrice × Quantity / PriceQuantity, rounded once.
type Line struct {
	N             int                   `json:"n"` // 1-based, stable
	Kind          LineKind              `json:"kind"`
	Parent        int                   `json:"parent,omitempty"`   // N of the parent line, 0 for none
	Group         string                `json:"group,omitempty"`    // fulfilment group
	Variant       hyperlocal.Ref        `json:"variant,omitzero"`   // what was bought, in the catalogue
	Code          string                `json:"code,omitempty"`     // SKU or item code at the time
	Item          hyperlocal.ItemID     `json:"item,omitempty"`     // stock item; "" when not stocked
	Location      hyperlocal.LocationID `json:"location,omitempty"` // where the stock is held
	Title         string                `json:"title"`              // snapshot
	Options       []Option              `json:"options,omitempty"`  // chosen options, snapshot
	Quantity      hyperlocal.Quantity   `json:"quantity"`           // > 0
	UnitPrice     hyperlocal.Money      `json:"unit_price"`         // per PriceQuantity, >= 0
	PriceQuantity hyperlocal.Quantity   `json:"price_quantity"`     // what the price is for; 1 piece by default
	Amount        hyperlocal.Money      `json:"amount"`             // of the line, without adjustments
	Returned      int64                 `json:"returned"`           // units given back so far
	Custom        json.RawMessage       `json:"custom,omitempty"`   // at most 4 KiB
}

// Option is a chosen option: size = large.
type Option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Adjustment changes the total of an order or explains a part of it.
type Adjustment struct {
	N        int              `json:"n"`              // 1-based, stable
	Line     int              `json:"line,omitempty"` // N of the line, 0 for the whole order
	Kind     AdjustmentKind   `json:"kind"`
	Amount   hyperlocal.Money `json:"amount"`             // negative for a discount
	Included bool             `json:"included,omitempty"` // already in the price (tax); does not count towards the total
	Source   string           `json:"source,omitempty"`   // what caused it: a promotion, a tax rule
	Title    string           `json:"title,omitempty"`
	Funding  []FundingShare   `json:"funding,omitempty"` // who bears it; shares sum to Amount
}

// FundingShare is the part of an adjustment that one party bears.
type FundingShare struct {
	Party  hyperlocal.Ref   `json:"party"`
	Amount hyperlocal.Money `json:"amount"`
}

// Contact is the personal data of an order. It has its own row, which Erase removes.
type Contact struct {
	Name    string  `json:"name,omitempty"`
	Phone   string  `json:"phone,omitempty"`
	Email   string  `json:"email,omitempty"`
	Address Address `json:"address,omitzero"`
}

// Address is a postal address with optional coordinates in millionths of a degree.
type Address struct {
	Lines       []string `json:"lines,omitempty"`
	PostalCode  string   `json:"postal_code,omitempty"`
	City        string   `json:"city,omitempty"`
	Region      string   `json:"region,omitempty"`
	Country     string   `json:"country,omitempty"` // ISO 3166-1 alpha-2
	LatitudeE6  int64    `json:"latitude_e6,omitempty"`
	LongitudeE6 int64    `json:"longitude_e6,omitempty"`
}

// HistoryEntry is one accepted trigger or recorded fact. Entries of an order form a chain:
// From of each is To of the one before.
type HistoryEntry struct {
	ID      string              `json:"id"`
	Tenant  hyperlocal.TenantID `json:"tenant"`
	Order   ID                  `json:"order"`
	Version int64               `json:"version"`
	N       int                 `json:"n"`       // position within the version
	Machine string              `json:"machine"` // "state", "payment", "refund/<id>", or "fact" for a fact that changed nothing
	Trigger string              `json:"trigger"`
	From    string              `json:"from"`
	To      string              `json:"to"`
	Reason  string              `json:"reason,omitempty"`
	Actor   hyperlocal.Actor    `json:"actor"`
	At      time.Time           `json:"at"`
}

// RefundState is where a refund stands.
type RefundState string

// The refund states.
const (
	RefundRequested      RefundState = "requested"
	RefundPending        RefundState = "pending"
	RefundSucceeded      RefundState = "succeeded"
	RefundFailed         RefundState = "failed"
	RefundUnknown        RefundState = "unknown"
	RefundNeedsAttention RefundState = "needs_attention"
)

// Refund gives money of one order back. Its amount counts against what is left refundable
// from the moment it is requested until it has failed.
type Refund struct {
	ID           string              `json:"id"`
	Tenant       hyperlocal.TenantID `json:"tenant"`
	Order        ID                  `json:"order"`
	Credit       string              `json:"credit,omitempty"` // the credit it is part of
	Amount       hyperlocal.Money    `json:"amount"`           // may be zero: units return, no money is left to give
	State        RefundState         `json:"state"`
	Reason       string              `json:"reason,omitempty"`
	Items        []RefundItem        `json:"items,omitempty"` // units given back with it
	Operation    string              `json:"operation,omitempty"`
	Version      int64               `json:"version"`
	Attempts     int                 `json:"attempts"`
	NextActionAt time.Time           `json:"next_action_at,omitzero"`
	CreatedAt    time.Time           `json:"created_at"`
	EffectiveAt  time.Time           `json:"effective_at"`
}

// RefundItem is a number of units of a line given back.
type RefundItem struct {
	Line     int                 `json:"line"` // N of the order's line
	Quantity hyperlocal.Quantity `json:"quantity"`
	Restock  bool                `json:"restock"` // put stocked units back on the shelf
}

// Credit is a document that gives money back: refunds of orders, and a credit note for what
// belongs to no order. It is recorded whole or not at all.
type Credit struct {
	ID          string              `json:"id"`
	Tenant      hyperlocal.TenantID `json:"tenant"`
	External    hyperlocal.External `json:"external,omitzero"`
	Merchant    hyperlocal.Ref      `json:"merchant"`
	Customer    hyperlocal.Ref      `json:"customer,omitzero"`
	Refunds     []Refund            `json:"refunds,omitempty"`
	NoteAmount  hyperlocal.Money    `json:"note_amount"` // the credit note; zero amount for none
	Total       hyperlocal.Money    `json:"total"`       // refunds + note
	Reason      string              `json:"reason,omitempty"`
	EffectiveAt time.Time           `json:"effective_at"`
	CreatedAt   time.Time           `json:"created_at"`
	Fingerprint string              `json:"-"`
}

// Clone returns a copy that shares nothing with o.
func (o *Order) Clone() Order {
	c := *o
	c.Custom = slices.Clone(o.Custom)
	c.Spent = slices.Clone(o.Spent)
	c.Lines = slices.Clone(o.Lines)
	for i := range c.Lines {
		c.Lines[i].Options = slices.Clone(c.Lines[i].Options)
		c.Lines[i].Custom = slices.Clone(c.Lines[i].Custom)
	}
	c.Adjustments = slices.Clone(o.Adjustments)
	for i := range c.Adjustments {
		c.Adjustments[i].Funding = slices.Clone(c.Adjustments[i].Funding)
	}
	if o.Contact != nil {
		contact := *o.Contact
		contact.Address.Lines = slices.Clone(contact.Address.Lines)
		c.Contact = &contact
	}
	return c
}
