package order

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Changed is what every event of an order tells: where it stands after the change. It is
// embedded in each event below, so that a consumer that missed some can still act on one.
type Changed struct {
	Order         ID               `json:"order"`
	Number        string           `json:"number"`
	Merchant      hyperlocal.Ref   `json:"merchant"`
	Customer      hyperlocal.Ref   `json:"customer,omitzero"`
	State         State            `json:"state"`
	PaymentStatus PaymentStatus    `json:"payment_status"`
	Version       int64            `json:"version"`
	Total         hyperlocal.Money `json:"total"`
	Captured      hyperlocal.Money `json:"captured"`
	Refunded      hyperlocal.Money `json:"refunded"`
	PlacedAt      time.Time        `json:"placed_at"`
	At            time.Time        `json:"at"` // effective time of the change
}

// The events. Names follow the state that was reached.
type (
	// OrderPlaced tells that the order exists and holds its stock.
	OrderPlaced struct {
		Changed
		Lines []EventLine `json:"lines"`
	}
	// OrderConfirmed tells that nothing is due any more, or the money is secured.
	OrderConfirmed struct{ Changed }
	// OrderAccepted tells that the merchant will do it; stock has left the shelf.
	OrderAccepted struct{ Changed }
	// OrderPreparing tells that the merchant is at it.
	OrderPreparing struct{ Changed }
	// OrderReady tells that it can be picked up or delivered.
	OrderReady struct{ Changed }
	// OrderDispatched tells that it is on its way.
	OrderDispatched struct{ Changed }
	// OrderDelivered tells that the customer has it.
	OrderDelivered struct{ Changed }
	// OrderDeliveryFailed tells that it did not reach the customer.
	OrderDeliveryFailed struct{ Changed }
	// OrderCompleted tells that it is over and done with.
	OrderCompleted struct{ Changed }
	// OrderCancelled tells that it will not happen; stock and money go back.
	OrderCancelled struct {
		Changed
		Reason string `json:"reason,omitempty"` // a slug, never free text of a person
	}
	// OrderExpired tells that it was not paid in time.
	OrderExpired struct{ Changed }
	// OrderNeedsAttention tells that a person has to decide.
	OrderNeedsAttention struct{ Changed }
	// OrderResolved tells that a person has decided, and it goes on.
	OrderResolved struct{ Changed }
	// OrderPaymentChanged tells that the payment status changed.
	OrderPaymentChanged struct{ Changed }
	// OrderRefunded tells that money or units went back. Changed.Refunded is the new total.
	OrderRefunded struct {
		Changed
		Refund string           `json:"refund"`
		Amount hyperlocal.Money `json:"amount"`
	}
	// OrderRefundNeedsAttention tells that nobody knows whether the money went back, or it surely did
	// not although it must; a person has to decide.
	OrderRefundNeedsAttention struct {
		Changed
		Refund string           `json:"refund"`
		Amount hyperlocal.Money `json:"amount"`
	}
	// CreditIssued tells that a credit was recorded; Note is the amount of its credit note.
	CreditIssued struct {
		Credit   string           `json:"credit"`
		Merchant hyperlocal.Ref   `json:"merchant"`
		Customer hyperlocal.Ref   `json:"customer,omitzero"`
		Total    hyperlocal.Money `json:"total"`
		Note     hyperlocal.Money `json:"note"`
		At       time.Time        `json:"at"`
	}
)

// EventLine is a line as events tell it.
type EventLine struct {
	N        int                 `json:"n"`
	Variant  hyperlocal.Ref      `json:"variant,omitzero"`
	Code     string              `json:"code,omitempty"`
	Item     hyperlocal.ItemID   `json:"item,omitempty"`
	Quantity hyperlocal.Quantity `json:"quantity"`
	Amount   hyperlocal.Money    `json:"amount"`
}

// EventName of each event is "<context>.<past participle>"; every version is 1.
func (OrderPlaced) EventName() string         { return "order.placed" }
func (OrderConfirmed) EventName() string      { return eventConfirmed }
func (OrderAccepted) EventName() string       { return eventAccepted }
func (OrderPreparing) EventName() string      { return eventPreparing }
func (OrderReady) EventName() string          { return eventReady }
func (OrderDispatched) EventName() string     { return eventDispatched }
func (OrderDelivered) EventName() string      { return eventDelivered }
func (OrderDeliveryFailed) EventName() string { return eventDeliveryFailed }
func (OrderCompleted) EventName() string      { return eventCompleted }
func (OrderCancelled) EventName() string      { return eventCancelled }
func (OrderExpired) EventName() string        { return eventExpired }
func (OrderNeedsAttention) EventName() string { return eventNeedsAttention }
func (OrderResolved) EventName() string       { return eventResolved }
func (OrderPaymentChanged) EventName() string { return eventPaymentChanged }
func (OrderRefunded) EventName() string       { return eventRefunded }
func (CreditIssued) EventName() string        { return "order.credit_issued" }
func (OrderRefundNeedsAttention) EventName() string {
	return "order.refund_needs_attention"
}

// EventVersion of everything that embeds Changed.
func (Changed) EventVersion() int      { return 1 }
func (CreditIssued) EventVersion() int { return 1 }

// Events lists one value of every event of this context, for catalogues and decoders.
func Events() []hyperlocal.Event {
	return []hyperlocal.Event{
		OrderPlaced{}, OrderConfirmed{}, OrderAccepted{}, OrderPreparing{}, OrderReady{}, OrderDispatched{},
		OrderDelivered{}, OrderDeliveryFailed{}, OrderCompleted{}, OrderCancelled{}, OrderExpired{},
		OrderNeedsAttention{}, OrderResolved{}, OrderPaymentChanged{}, OrderRefunded{}, OrderRefundNeedsAttention{},
		CreditIssued{},
	}
}

// The names of events that a table can emit.
const (
	eventConfirmed      = "order.confirmed"
	eventAccepted       = "order.accepted"
	eventPreparing      = "order.preparing"
	eventReady          = "order.ready"
	eventDispatched     = "order.dispatched"
	eventDelivered      = "order.delivered"
	eventDeliveryFailed = "order.delivery_failed"
	eventCompleted      = "order.completed"
	eventCancelled      = "order.cancelled"
	eventExpired        = "order.expired"
	eventNeedsAttention = "order.needs_attention"
	eventResolved       = "order.resolved"
	eventPaymentChanged = "order.payment_changed"
	eventRefunded       = "order.refunded"
)

// newEvent returns the event of a name that a table may emit; slug is the reason, if it is one.
func newEvent(name string, c Changed, slug string) (hyperlocal.Event, bool) {
	switch name {
	case eventConfirmed:
		return OrderConfirmed{c}, true
	case eventAccepted:
		return OrderAccepted{c}, true
	case eventPreparing:
		return OrderPreparing{c}, true
	case eventReady:
		return OrderReady{c}, true
	case eventDispatched:
		return OrderDispatched{c}, true
	case eventDelivered:
		return OrderDelivered{c}, true
	case eventDeliveryFailed:
		return OrderDeliveryFailed{c}, true
	case eventCompleted:
		return OrderCompleted{c}, true
	case eventCancelled:
		return OrderCancelled{Changed: c, Reason: slug}, true
	case eventExpired:
		return OrderExpired{c}, true
	case eventNeedsAttention:
		return OrderNeedsAttention{c}, true
	case eventResolved:
		return OrderResolved{c}, true
	case eventPaymentChanged:
		return OrderPaymentChanged{c}, true
	case eventRefunded:
		return OrderRefunded{Changed: c}, true
	default:
		return nil, false
	}
}
