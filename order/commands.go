package order

import (
	"encoding/json"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits of one order. More is refused with code invalid.
const (
	MaxLines       = 5000 // wholesale orders have more than a thousand
	MaxAdjustments = 1000
	MaxBatch       = 1000 // commands in one PlaceMany or Do
	MaxTitle       = 500
	MaxNote        = 2000
	MaxCustom      = 16 << 10
	MaxLineCustom  = 4 << 10
)

// PlaceCommand asks for one order.
type PlaceCommand struct {
	Tenant     hyperlocal.TenantID
	Actor      hyperlocal.Actor
	Key        string // idempotency key of the actor; "" for none
	Merchant   hyperlocal.Ref
	Customer   hyperlocal.Ref // zero for a guest
	External   hyperlocal.External
	Channel    string
	Group      string
	Currency   hyperlocal.Currency
	Fulfilment Fulfilment // "" means FulfilmentPickup
	// PayLater confirms the order without a payment: cash on delivery, credit.
	PayLater      bool
	Lines         []PlaceLine // at least one
	Adjustments   []Adjustment
	Spend         []hyperlocal.Spend // points and the like to use; their participants decide
	Contact       *Contact
	RequestedFrom time.Time
	RequestedTo   time.Time
	TimeZone      string
	Locale        string
	Note          string
	Custom        json.RawMessage
	At            time.Time // effective time; zero means now
}

// PlaceLine is one line of a placement. Leave UnitPrice zero to have variant, title, price
// and stock item filled in from [Offers]; a caller that states a price is trusted with it,
// so an edge that takes orders from shoppers never does.
type PlaceLine struct {
	Kind          LineKind // "" means LineGoods
	Parent        int      // N (1-based position) of the parent line, 0 for none
	Group         string
	Variant       hyperlocal.Ref
	Code          string
	Item          hyperlocal.ItemID // "" when not stocked
	Location      hyperlocal.LocationID
	Title         string
	Options       []Option
	Quantity      hyperlocal.Quantity
	UnitPrice     hyperlocal.Money
	PriceQuantity hyperlocal.Quantity // zero means 1 of the quantity's base unit
	Custom        json.RawMessage
}

// PlaceResult is the answer to one placement. Exactly one of Order and Err is meaningful.
type PlaceResult struct {
	Order    Summary
	Replayed bool // an earlier command with the same key or external reference did it
	Err      error
}

// Summary is the answer that commands give and idempotency keeps.
type Summary struct {
	ID            ID               `json:"id"`
	Number        string           `json:"number"`
	State         State            `json:"state"`
	PaymentStatus PaymentStatus    `json:"payment_status"`
	Version       int64            `json:"version"`
	Total         hyperlocal.Money `json:"total"`
	Captured      hyperlocal.Money `json:"captured"`
	Refunded      hyperlocal.Money `json:"refunded"`
}

// Command is one trigger on one order.
type Command struct {
	Tenant  hyperlocal.TenantID
	Actor   hyperlocal.Actor
	Key     string // idempotency key of the actor; "" for none
	Order   ID
	Trigger Trigger
	// Merchant, when not zero, must own the order; otherwise the order is not found.
	Merchant hyperlocal.Ref
	// Customer, when not zero, must own the order; otherwise the order is not found.
	Customer hyperlocal.Ref
	// Version, when not zero, must be the order's; otherwise conflict.
	Version int64
	Reason  string    // at most MaxNote bytes
	At      time.Time // effective time; zero means now
}

// CommandResult is the answer to one command.
type CommandResult struct {
	Order    Summary
	Replayed bool
	Err      error
}

// PayCommand asks to pay what is due of an order.
type PayCommand struct {
	Tenant   hyperlocal.TenantID
	Actor    hyperlocal.Actor
	Key      string
	Order    ID
	Customer hyperlocal.Ref // when not zero, must own the order
	Gateway  string         // "" for the default
	Method   string         // the gateway's token for how the shopper pays
	// Authorize holds the money now; it is captured when the policy's CaptureOn trigger fires.
	Authorize bool
	At        time.Time
}

// PayResult is the answer to a payment.
type PayResult struct {
	Order     Summary                   `json:"order"`
	Operation string                    `json:"operation"`
	Outcome   hyperlocal.PaymentOutcome `json:"outcome"`
	Class     hyperlocal.DeclineClass   `json:"class,omitempty"`
	Code      string                    `json:"code,omitempty"`
	Action    string                    `json:"action,omitempty"` // what the shopper has to do next
	Replayed  bool                      `json:"-"`
}

// CreditCommand gives money back: parts of orders and, if NoteAmount is not zero, a credit
// note. All of it is recorded or nothing; the gateways are asked afterwards.
type CreditCommand struct {
	Tenant     hyperlocal.TenantID
	Actor      hyperlocal.Actor
	Key        string
	External   hyperlocal.External
	Merchant   hyperlocal.Ref // owns every order of Parts
	Customer   hyperlocal.Ref
	Parts      []CreditPart
	NoteAmount hyperlocal.Money // zero for none
	Reason     string
	At         time.Time
}

// CreditPart refunds a part of one order.
type CreditPart struct {
	Order ID
	// Amount may be zero when only units return. It may not exceed what is left refundable.
	Amount hyperlocal.Money
	Items  []RefundItem // units given back; at most what was sold and not yet returned
}

// CreditResult is the answer to a credit.
type CreditResult struct {
	Credit   Credit
	Replayed bool
}

// RefundCommand gives back a part or the rest of one order.
type RefundCommand struct {
	Tenant   hyperlocal.TenantID
	Actor    hyperlocal.Actor
	Key      string
	External hyperlocal.External
	Order    ID
	Merchant hyperlocal.Ref   // when not zero, must own the order
	Amount   hyperlocal.Money // zero value: all that is left
	Items    []RefundItem
	Reason   string
	At       time.Time
}

// Filter selects orders for List; zero fields do not restrict.
type Filter struct {
	Merchant      hyperlocal.Ref
	Customer      hyperlocal.Ref
	States        []State
	PaymentStatus PaymentStatus
	External      hyperlocal.External
	PlacedFrom    time.Time // inclusive
	PlacedTo      time.Time // exclusive
}
