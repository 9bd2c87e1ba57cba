package httpapi

import (
	"encoding/json"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// orderView is an order as the edge shows it. Those who bought it do not see who bears a
// discount and what the clock will do next.
type orderView struct {
	ID         order.ID            `json:"id"`
	Number     string              `doc:"For people; unique per tenant." json:"number"`
	Merchant   string              `json:"merchant"`
	Customer   hyperlocal.Ref      `doc:"Left out for a guest." json:"customer,omitzero"`
	Channel    string              `json:"channel,omitempty"`
	Group      string              `doc:"Orders that were checked out together." json:"group,omitempty"`
	External   hyperlocal.External `json:"external,omitzero"`
	Currency   hyperlocal.Currency `json:"currency"`
	Fulfilment order.Fulfilment    `enum:"delivery,pickup,on_the_spot,service,digital" json:"fulfilment"`

	State         order.State         `doc:"Where the order stands; a host may add states of its own." json:"state"`
	PaymentStatus order.PaymentStatus `enum:"none_due,due,processing,retry,unknown,authorized,paid,part_refunded,refunded" json:"payment_status"`
	Version       int64               `doc:"Rises with every change; also the entity tag." json:"version"`

	LinesTotal hyperlocal.Money `json:"lines_total"`
	Total      hyperlocal.Money `doc:"Lines and adjustments that are not included in a price." json:"total"`
	Authorized hyperlocal.Money `json:"authorized"`
	Captured   hyperlocal.Money `json:"captured"`
	Refunded   hyperlocal.Money `json:"refunded"`

	RequestedFrom time.Time       `json:"requested_from,omitzero"`
	RequestedTo   time.Time       `json:"requested_to,omitzero"`
	TimeZone      string          `json:"time_zone,omitempty"`
	Locale        string          `json:"locale,omitempty"`
	Note          string          `json:"note,omitempty"`
	Custom        json.RawMessage `doc:"The host's own." json:"custom,omitempty"`
	PlacedAt      time.Time       `json:"placed_at"`
	UpdatedAt     time.Time       `json:"updated_at"`
	NextAction    string          `doc:"What the clock will do; only for those who work on the order." json:"next_action,omitempty"`
	NextActionAt  time.Time       `json:"next_action_at,omitzero"`
	Attempts      int             `doc:"Payments tried so far." json:"attempts"`

	Lines       []order.Line       `json:"lines"`
	Adjustments []order.Adjustment `json:"adjustments"`
	Spent       []hyperlocal.Spend `doc:"What the placement used, such as points; given back when the order is cancelled or expires." json:"spent,omitempty"`
	Contact     *order.Contact     `doc:"Left out when none was given, and after erasure." json:"contact,omitempty"`
}

// viewOrder shows an order to somebody who may see it.
func viewOrder(c caller, o order.Order) orderView {
	view := orderView{
		ID: o.ID, Number: o.Number, Merchant: o.Merchant.ID, Customer: o.Customer, Channel: o.Channel, Group: o.Group,
		External: o.External, Currency: o.Currency, Fulfilment: o.Fulfilment, State: o.State, PaymentStatus: o.PaymentStatus,
		Version: o.Version, LinesTotal: o.LinesTotal, Total: o.Total, Authorized: o.Authorized, Captured: o.Captured,
		Refunded: o.Refunded, RequestedFrom: o.RequestedFrom, RequestedTo: o.RequestedTo, TimeZone: o.TimeZone,
		Locale: o.Locale, Note: o.Note, Custom: o.Custom, PlacedAt: o.PlacedAt, UpdatedAt: o.UpdatedAt, Attempts: o.Attempts,
		Spent: o.Spent, Lines: o.Lines, Adjustments: make([]order.Adjustment, len(o.Adjustments)), Contact: o.Contact,
	}
	copy(view.Adjustments, o.Adjustments)
	if view.Lines == nil {
		view.Lines = []order.Line{}
	}
	if c.inside(&o) {
		view.NextAction, view.NextActionAt = o.NextAction, o.NextActionAt
		return view
	}
	for i := range view.Adjustments {
		view.Adjustments[i].Funding = nil
	}
	return view
}

// historyView is one entry of an order's history.
type historyView struct {
	ID      string    `json:"id"`
	Version int64     `json:"version"`
	Machine string    `doc:"state, payment, refund/<id> or fact." json:"machine"`
	Trigger string    `json:"trigger"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Reason  string    `json:"reason,omitempty"`
	Actor   actorView `json:"actor"`
	At      time.Time `json:"at"`
}

// actorView is who did something. Shoppers learn the kind of everybody and the id of nobody
// but themselves.
type actorView struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
}

func viewHistory(c caller, inside bool, h order.HistoryEntry) historyView {
	view := historyView{
		ID: h.ID, Version: h.Version, Machine: h.Machine, Trigger: h.Trigger, From: h.From, To: h.To, Reason: h.Reason,
		Actor: actorView{Kind: h.Actor.Kind, ID: h.Actor.ID}, At: h.At,
	}
	if !inside && h.Actor != c.Actor {
		view.Actor.ID = ""
	}
	return view
}

// refundView is a refund as the edge shows it.
type refundView struct {
	ID          string             `json:"id"`
	Order       order.ID           `json:"order"`
	Credit      string             `json:"credit,omitempty"`
	Amount      hyperlocal.Money   `json:"amount"`
	State       order.RefundState  `enum:"requested,pending,succeeded,failed,unknown,needs_attention" json:"state"`
	Reason      string             `json:"reason,omitempty"`
	Items       []order.RefundItem `json:"items"`
	CreatedAt   time.Time          `json:"created_at"`
	EffectiveAt time.Time          `json:"effective_at"`
}

func viewRefund(r order.Refund) refundView {
	items := r.Items
	if items == nil {
		items = []order.RefundItem{}
	}
	return refundView{
		ID: r.ID, Order: r.Order, Credit: r.Credit, Amount: r.Amount, State: r.State, Reason: r.Reason, Items: items,
		CreatedAt: r.CreatedAt, EffectiveAt: r.EffectiveAt,
	}
}

// creditView is a document that gives money back.
type creditView struct {
	ID          string           `json:"id"`
	Merchant    string           `json:"merchant"`
	Customer    hyperlocal.Ref   `json:"customer,omitzero"`
	Refunds     []refundView     `json:"refunds"`
	NoteAmount  hyperlocal.Money `doc:"Of the credit note; zero for none." json:"note_amount"`
	Total       hyperlocal.Money `json:"total"`
	Reason      string           `json:"reason,omitempty"`
	EffectiveAt time.Time        `json:"effective_at"`
	CreatedAt   time.Time        `json:"created_at"`
}

func viewCredit(c order.Credit) creditView {
	view := creditView{
		ID: c.ID, Merchant: c.Merchant.ID, Customer: c.Customer, Refunds: make([]refundView, len(c.Refunds)),
		NoteAmount: c.NoteAmount, Total: c.Total, Reason: c.Reason, EffectiveAt: c.EffectiveAt, CreatedAt: c.CreatedAt,
	}
	for i := range c.Refunds {
		view.Refunds[i] = viewRefund(c.Refunds[i])
	}
	return view
}
