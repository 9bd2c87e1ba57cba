package order

import (
	"strconv"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// What every placement writes down as JSON writes itself; see [hyperlocal.JSONAppender]. The
// methods stand on the events and not on Changed, from which those with fields of their own
// would inherit them.

func (e OrderPlaced) AppendJSON(b []byte) ([]byte, error) {
	b, err := e.append(append(b, '{'))
	if err != nil {
		return nil, err
	}
	if e.Lines == nil {
		return append(b, `,"lines":null}`...), nil
	}
	b = append(b, `,"lines":[`...)
	for i := range e.Lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.Lines[i].append(b)
	}
	return append(b, `]}`...), nil
}

func (e OrderConfirmed) AppendJSON(b []byte) ([]byte, error)  { return e.object(b) }
func (e OrderAccepted) AppendJSON(b []byte) ([]byte, error)   { return e.object(b) }
func (e OrderPreparing) AppendJSON(b []byte) ([]byte, error)  { return e.object(b) }
func (e OrderReady) AppendJSON(b []byte) ([]byte, error)      { return e.object(b) }
func (e OrderDispatched) AppendJSON(b []byte) ([]byte, error) { return e.object(b) }
func (e OrderDelivered) AppendJSON(b []byte) ([]byte, error)  { return e.object(b) }
func (e OrderCompleted) AppendJSON(b []byte) ([]byte, error)  { return e.object(b) }
func (e OrderPaymentChanged) AppendJSON(b []byte) ([]byte, error) {
	return e.object(b)
}

// object appends the whole event, if it has no fields of its own.
func (c *Changed) object(b []byte) ([]byte, error) {
	b, err := c.append(append(b, '{'))
	return append(b, '}'), err
}

// append appends the fields.
func (c *Changed) append(b []byte) ([]byte, error) {
	b = hyperlocal.AppendJSONText(append(b, `"order":`...), c.Order)
	b = hyperlocal.AppendJSONText(append(b, `,"number":`...), c.Number)
	b = c.Merchant.AppendJSON(append(b, `,"merchant":`...))
	if !c.Customer.IsZero() {
		b = c.Customer.AppendJSON(append(b, `,"customer":`...))
	}
	b = hyperlocal.AppendJSONText(append(b, `,"state":`...), c.State)
	b = hyperlocal.AppendJSONText(append(b, `,"payment_status":`...), c.PaymentStatus)
	b = strconv.AppendInt(append(b, `,"version":`...), c.Version, 10)
	b = c.Total.AppendJSON(append(b, `,"total":`...))
	b = c.Captured.AppendJSON(append(b, `,"captured":`...))
	b = c.Refunded.AppendJSON(append(b, `,"refunded":`...))
	b, err := hyperlocal.AppendJSONTime(append(b, `,"placed_at":`...), c.PlacedAt)
	if err != nil {
		return nil, err
	}
	return hyperlocal.AppendJSONTime(append(b, `,"at":`...), c.At)
}

func (l *EventLine) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"n":`...), int64(l.N), 10)
	if !l.Variant.IsZero() {
		b = l.Variant.AppendJSON(append(b, `,"variant":`...))
	}
	if l.Code != "" {
		b = hyperlocal.AppendJSONText(append(b, `,"code":`...), l.Code)
	}
	if l.Item != "" {
		b = hyperlocal.AppendJSONText(append(b, `,"item":`...), l.Item)
	}
	b = l.Quantity.AppendJSON(append(b, `,"quantity":`...))
	b = l.Amount.AppendJSON(append(b, `,"amount":`...))
	return append(b, '}')
}

// appendJSON appends what encoding/json writes.
func (s *Summary) appendJSON(b []byte) []byte {
	b = hyperlocal.AppendJSONText(append(b, `{"id":`...), s.ID)
	b = hyperlocal.AppendJSONText(append(b, `,"number":`...), s.Number)
	b = hyperlocal.AppendJSONText(append(b, `,"state":`...), s.State)
	b = hyperlocal.AppendJSONText(append(b, `,"payment_status":`...), s.PaymentStatus)
	b = strconv.AppendInt(append(b, `,"version":`...), s.Version, 10)
	b = s.Total.AppendJSON(append(b, `,"total":`...))
	b = s.Captured.AppendJSON(append(b, `,"captured":`...))
	b = s.Refunded.AppendJSON(append(b, `,"refunded":`...))
	return append(b, '}')
}
