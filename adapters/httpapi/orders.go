package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// placeBody is an order as a shopper asks for it. It has no prices: those are the catalogue's.
type placeBody struct {
	Merchant      string            `doc:"Whose shop." json:"merchant" maxLength:"128" minLength:"1"`
	Customer      string            `doc:"For whom; only administrators may say so." json:"customer,omitempty" maxLength:"128"`
	Currency      string            `doc:"In which the shopper expects to pay; the shop's." example:"CNY" json:"currency" maxLength:"3" minLength:"3"`
	Fulfilment    string            `default:"pickup" enum:"delivery,pickup,on_the_spot,service,digital" json:"fulfilment,omitempty"`
	PayLater      bool              `doc:"Pay on delivery, where the host allows it." json:"pay_later,omitempty"`
	Lines         []placeLine       `json:"lines" maxItems:"5000" minItems:"1"`
	Tip           *hyperlocal.Money `doc:"On top; not negative." json:"tip,omitempty"`
	Points        int64             `doc:"Points of the customer to spend, where the host says what they are worth." json:"points,omitempty" minimum:"0"`
	Contact       *order.Contact    `json:"contact,omitempty"`
	Channel       string            `json:"channel,omitempty" maxLength:"64"`
	Group         string            `doc:"Names orders that are checked out together." json:"group,omitempty" maxLength:"64"`
	RequestedFrom *time.Time        `doc:"Begin of the window in which the customer wants it." json:"requested_from,omitempty"`
	RequestedTo   *time.Time        `json:"requested_to,omitempty"`
	TimeZone      string            `doc:"IANA name for the window." json:"time_zone,omitempty" maxLength:"64"`
	Locale        string            `json:"locale,omitempty" maxLength:"35"`
	Note          string            `json:"note,omitempty" maxLength:"2000"`
	Custom        json.RawMessage   `doc:"The host's own." json:"custom,omitempty"`
}

// placeLine asks for a quantity of a variant.
type placeLine struct {
	Variant  string              `doc:"The variant's id." json:"variant" maxLength:"128" minLength:"1"`
	Quantity hyperlocal.Quantity `json:"quantity"`
	Options  []order.Option      `json:"options,omitempty" maxItems:"50"`
	Parent   int                 `doc:"Number of an earlier line that this one belongs to, from 1." json:"parent,omitempty" maximum:"5000" minimum:"0"`
	Group    string              `doc:"Names lines that are fulfilled together." json:"group,omitempty" maxLength:"64"`
	Custom   json.RawMessage     `doc:"The host's own." json:"custom,omitempty"`
}

// OrderPath names an order in a path.
type OrderPath struct {
	Order string `doc:"The order's id." maxLength:"36" path:"order"`
}

type (
	placeInput struct {
		RequiredKey
		Body placeBody
	}
	placeOutput struct {
		Location string `header:"Location"`
		ETag     string `header:"ETag"`
		Replayed string `doc:"true when an earlier request with the same key did it." header:"Idempotency-Replayed"`
		Body     order.Summary
	}
	orderOutput struct {
		ETag string `header:"ETag"`
		Body orderView
	}
	orderList struct {
		Items []orderView `json:"items"`
		Next  string      `doc:"The cursor of the next page; left out on the last." json:"next,omitempty"`
	}
	ordersInput struct {
		PageParams
		Merchant      string    `doc:"Only of this merchant; administrators choose, others see their own." maxLength:"128" query:"merchant"`
		Customer      string    `doc:"Only of this customer; for those who work on orders." maxLength:"128" query:"customer"`
		States        []string  `doc:"Only in one of these states, parted by commas." maxItems:"20" query:"states"`
		PaymentStatus string    `doc:"Only with this payment status." maxLength:"32" query:"payment_status"`
		PlacedFrom    time.Time `doc:"Placed then or later." query:"placed_from"`
		PlacedTo      time.Time `doc:"Placed before then." query:"placed_to"`
	}
	ordersOutput struct{ Body orderList }
	historyList  struct {
		Items []historyView `json:"items"`
		Next  string        `doc:"The cursor of the next page; left out on the last." json:"next,omitempty"`
	}
	historyInput struct {
		OrderPath
		PageParams
	}
	historyOutput struct{ Body historyList }
	refundList    struct {
		Items []refundView `json:"items"`
	}
	refundsOutput struct{ Body refundList }
)

func (a *api) orderOperations() {
	register(a, operation{
		id: "placeOrder", method: http.MethodPost, path: "/v1/orders", tag: tagOrders, summary: "Place an order", access: shoppers,
		about: "Prices, titles and stock come from the catalogue. All of it is placed, or nothing and the shelf is as it was.",
		key:   true, status: http.StatusCreated, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.placeOrder)
	register(a, operation{
		id: "listOrders", method: http.MethodGet, path: "/v1/orders", tag: tagOrders, summary: "List orders, newest first", access: concerned,
		about: "Administrators see all orders, those who work for a merchant the merchant's, shoppers their own.",
	}, a.listOrders)
	register(a, operation{
		id: "getOrder", method: http.MethodGet, path: "/v1/orders/{order}", tag: tagOrders,
		summary: "Read an order with lines, adjustments and contact", access: concerned, errors: []int{http.StatusNotFound},
	}, a.getOrder)
	register(a, operation{
		id: "listOrderHistory", method: http.MethodGet, path: "/v1/orders/{order}/history", tag: tagOrders,
		summary: "List what happened to an order", access: concerned, errors: []int{http.StatusNotFound},
	}, a.listHistory)
	register(a, operation{
		id: "listRefunds", method: http.MethodGet, path: "/v1/orders/{order}/refunds", tag: tagOrders,
		summary: "List the refunds of an order, oldest first", access: concerned, errors: []int{http.StatusNotFound},
	}, a.listRefunds)
}

func (a *api) placeOrder(ctx context.Context, c caller, in *placeInput) (*placeOutput, error) {
	command, err := a.placement(c, in)
	if err != nil {
		return nil, err
	}
	if a.BeforePlace != nil {
		if err := a.BeforePlace(ctx, c.Principal, &command); err != nil {
			return nil, err
		}
		command.Tenant, command.Actor, command.Key = c.Tenant, c.Actor, in.Key
	}
	result, err := a.Orders.Place(ctx, command)
	if err != nil {
		return nil, err
	}
	return &placeOutput{
		Location: "/v1/orders/" + string(result.Order.ID), ETag: etag(result.Order.Version), Replayed: replayed(result.Replayed),
		Body: result.Order,
	}, nil
}

// window takes over when the customer wants the order. The zero of a time stands for none in
// a command, so a body that says it would be misunderstood.
func window(command *order.PlaceCommand, from, to *time.Time) error {
	for _, w := range []struct {
		field string
		given *time.Time
		at    *time.Time
	}{{"requested_from", from, &command.RequestedFrom}, {"requested_to", to, &command.RequestedTo}} {
		if w.given == nil {
			continue
		}
		if w.given.IsZero() {
			return hyperlocal.Invalid("http", w.field, "this is no time to want anything at; leave the field out for none")
		}
		*w.at = *w.given
	}
	if command.TimeZone == "" {
		return nil
	}
	if _, err := time.LoadLocation(command.TimeZone); err != nil || command.TimeZone == "Local" {
		return hyperlocal.Invalid("http", "time_zone", "a time zone is named as in the IANA database, such as Europe/London")
	}
	return nil
}

// placement is the command that a body stands for, as far as the caller may give it.
func (a *api) placement(c caller, in *placeInput) (order.PlaceCommand, error) {
	b := in.Body
	command := order.PlaceCommand{
		Tenant: c.Tenant, Actor: c.Actor, Key: in.Key, Merchant: catalog.Merchant(b.Merchant), Channel: b.Channel,
		Group: b.Group, Currency: hyperlocal.Currency(b.Currency), Fulfilment: order.Fulfilment(b.Fulfilment), PayLater: b.PayLater,
		Contact: b.Contact, TimeZone: b.TimeZone, Locale: b.Locale, Note: b.Note, Custom: b.Custom,
		Lines: make([]order.PlaceLine, len(b.Lines)),
	}
	switch {
	case c.admin() && b.Customer != "":
		command.Customer = hyperlocal.NewRef(CustomerKind, b.Customer)
	case b.Customer != "" && b.Customer != c.Actor.ID:
		return command, ErrField.With("field", "customer")
	case c.shops():
		command.Customer = c.customer()
	}
	if b.PayLater && !a.PayLater && !c.admin() {
		return command, ErrField.With("field", "pay_later")
	}
	if b.Points > 0 && a.BeforePlace == nil {
		return command, ErrField.With("field", "points") // nobody would say what they are worth
	}
	if err := window(&command, b.RequestedFrom, b.RequestedTo); err != nil {
		return command, err
	}
	for i, l := range b.Lines {
		command.Lines[i] = order.PlaceLine{
			Variant: hyperlocal.NewRef(catalog.VariantKind, l.Variant), Quantity: l.Quantity, Options: l.Options, Parent: l.Parent,
			Group: l.Group, Custom: l.Custom,
		}
	}
	if b.Tip != nil {
		if b.Tip.Sign() < 0 {
			return command, hyperlocal.Invalid("http", "tip", "a tip is not negative")
		}
		command.Adjustments = []order.Adjustment{{Kind: order.AdjustTip, Amount: *b.Tip}}
	}
	if b.Points > 0 {
		command.Spend = []hyperlocal.Spend{{Kind: loyalty.SpendKind, Ref: command.Customer, Amount: b.Points}}
	}
	return command, nil
}

func (a *api) getOrder(ctx context.Context, c caller, in *OrderPath) (*orderOutput, error) {
	o, err := a.order(ctx, c, in.Order)
	if err != nil {
		return nil, err
	}
	return &orderOutput{ETag: etag(o.Version), Body: viewOrder(c, o)}, nil
}

func (a *api) listOrders(ctx context.Context, c caller, in *ordersInput) (*ordersOutput, error) {
	f := order.Filter{PaymentStatus: order.PaymentStatus(in.PaymentStatus), PlacedFrom: in.PlacedFrom, PlacedTo: in.PlacedTo}
	for _, s := range in.States {
		if s == "" || len(s) > maxState {
			return nil, hyperlocal.Invalid("http", "states", "a state has 1 to 64 characters")
		}
		f.States = append(f.States, order.State(s))
	}
	if in.Merchant != "" {
		f.Merchant = catalog.Merchant(in.Merchant)
	}
	if in.Customer != "" {
		f.Customer = hyperlocal.NewRef(CustomerKind, in.Customer)
	}
	// What belongs to others is as good as not there: the page is empty.
	nothing := &ordersOutput{Body: orderList{Items: []orderView{}}}
	switch {
	case c.admin():
	case c.works():
		if cmp.Or(f.Merchant, c.merchant()) != c.merchant() {
			return nothing, nil
		}
		f.Merchant = c.merchant()
	default:
		if cmp.Or(f.Customer, c.customer()) != c.customer() {
			return nothing, nil
		}
		f.Customer = c.customer()
	}
	page, err := a.Orders.List(ctx, c.Tenant, f, in.request())
	if err != nil {
		return nil, err
	}
	out := &ordersOutput{}
	out.Body.Items, out.Body.Next = pageOf(page, func(o order.Order) orderView { return viewOrder(c, o) })
	return out, nil
}

// maxState bounds the name of a state, in bytes.
const maxState = 64

func (a *api) listHistory(ctx context.Context, c caller, in *historyInput) (*historyOutput, error) {
	o, err := a.order(ctx, c, in.Order)
	if err != nil {
		return nil, err
	}
	page, err := a.Orders.History(ctx, c.Tenant, o.ID, in.request())
	if err != nil {
		return nil, err
	}
	out := &historyOutput{}
	out.Body.Items, out.Body.Next = pageOf(page, func(h order.HistoryEntry) historyView { return viewHistory(c, c.inside(&o), h) })
	return out, nil
}

func (a *api) listRefunds(ctx context.Context, c caller, in *OrderPath) (*refundsOutput, error) {
	o, err := a.order(ctx, c, in.Order)
	if err != nil {
		return nil, err
	}
	refunds, err := a.Orders.Refunds(ctx, c.Tenant, o.ID)
	if err != nil {
		return nil, err
	}
	out := &refundsOutput{Body: refundList{Items: make([]refundView, len(refunds))}}
	for i := range refunds {
		out.Body.Items[i] = viewRefund(refunds[i])
	}
	return out, nil
}

func replayed(yes bool) string {
	if yes {
		return "true"
	}
	return ""
}
