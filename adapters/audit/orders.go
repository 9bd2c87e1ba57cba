package audit

import (
	"context"
	"math/bits"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// orderSums is an order with what its parts add up to.
type orderSums struct {
	Order
	lines, adjustments           int64
	paidCaptured, paidRefunded   int64 // by payment movements
	refundsSucceeded, refundsAll int64
	state, payment               string // where the history ends
	version                      int64
	refunds                      map[string]string // refund id to the end of its history
	states                       map[string]string // refund id to where it stands
	past                         map[string]bool   // operations that gave money back past the order
	givenBack                    map[string]int64  // by operation
	reserved                     bool
}

type creditSums struct {
	Credit
	refunds, note int64
}

func (a *auditor) readOrders(ctx context.Context, t Tables) error {
	if err := t.Orders(ctx, func(o Order) error {
		a.orders[o.ID] = &orderSums{Order: o}
		a.elsewhere[o.ID.ID] = o.ID.Tenant
		return nil
	}); err != nil {
		return err
	}
	if err := t.OrderLines(ctx, func(l OrderLine) error {
		o := a.orders[l.Order]
		if o == nil {
			a.missing("a line", l.Order)
			return nil
		}
		o.lines += l.Amount
		if !rounds(l) || l.Returned < 0 || l.Returned > l.Quantity {
			a.violate(OrderLineAddsUp, "tenant %s order %s line %d: %d x %d per %d is not %d, or %d returned is too much",
				l.Order.Tenant, l.Order.ID, l.N, l.Quantity, l.UnitPrice, l.PriceQuantity, l.Amount, l.Returned)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := t.OrderAdjustments(ctx, func(d OrderAdjustment) error {
		o := a.orders[d.Order]
		switch {
		case o == nil:
			a.missing("an adjustment", d.Order)
		case !d.Included:
			o.adjustments += d.Amount
		}
		return nil
	}); err != nil {
		return err
	}
	if err := t.Contacts(ctx, func(c Child) error {
		if a.orders[c.Of] == nil {
			a.missing("a contact", c.Of)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := t.Credits(ctx, func(c Credit) error {
		a.credits[c.ID] = &creditSums{Credit: c}
		a.elsewhere[c.ID.ID] = c.ID.Tenant
		return nil
	}); err != nil {
		return err
	}
	if err := t.Refunds(ctx, a.refund); err != nil {
		return err
	}
	return t.OrderHistory(ctx, a.history)
}

// rounds reports whether the amount of a line is its price times its quantity, rounded in
// whichever direction: less than one unit away from the exact value.
func rounds(l OrderLine) bool {
	if l.Quantity <= 0 || l.PriceQuantity <= 0 || l.UnitPrice < 0 || l.Amount < 0 {
		return false
	}
	hi, lo := bits.Mul64(uint64(l.Quantity), uint64(l.UnitPrice)) //nolint:gosec // both are positive
	if hi >= uint64(l.PriceQuantity) {                            //nolint:gosec // positive
		return false
	}
	q, rest := bits.Div64(hi, lo, uint64(l.PriceQuantity)) //nolint:gosec // positive
	amount := uint64(l.Amount)                             //nolint:gosec // positive
	return amount == q || rest > 0 && amount == q+1
}

func (a *auditor) refund(r Refund) error {
	o := a.orders[r.Order]
	if o == nil {
		a.missing("refund "+r.ID.ID, r.Order)
		return nil
	}
	if r.Currency != o.Currency {
		a.violate(RefundsAreOperations, "tenant %s refund %s is in %s, its order in %s", r.ID.Tenant, r.ID.ID, r.Currency, o.Currency)
	}
	put(&o.states, r.ID.ID, r.State)
	if r.State == string(order.RefundSucceeded) {
		o.refundsSucceeded += r.Amount
	}
	if r.State != string(order.RefundFailed) {
		o.refundsAll += r.Amount
	}
	if r.Credit == "" {
		return nil
	}
	c := a.credits[ID{r.ID.Tenant, r.Credit}]
	if c == nil {
		a.missing("refund "+r.ID.ID, ID{r.ID.Tenant, r.Credit})
		return nil
	}
	c.refunds += r.Amount
	return nil
}

// history follows the chains of an order's three machines.
func (a *auditor) history(h OrderHistory) error {
	o := a.orders[h.Order]
	if o == nil {
		a.missing("an entry of the history", h.Order)
		return nil
	}
	bad := func(why string) {
		a.violate(HistoryLegal, "tenant %s order %s version %d.%d %s %s: %s -> %s %s",
			h.Order.Tenant, h.Order.ID, h.Version, h.N, h.Machine, h.Trigger, h.From, h.To, why)
	}
	if h.Version < o.version || h.Version > o.Version {
		bad("is out of sequence")
	}
	o.version = h.Version
	e := edge{h.Trigger, h.From, h.To}
	refund, isRefund := strings.CutPrefix(h.Machine, "refund/")
	switch {
	case h.Machine == "state":
		if !a.states[e] || h.From != last(o.state, string(order.Placed)) {
			bad("is no legal step")
		}
		o.state = h.To
	case h.Machine == "payment":
		if !a.payments[e] || h.From != o.payment && (o.payment != "" || !a.unpaid[h.From]) {
			bad("is no legal step")
		}
		o.payment = h.To
	case isRefund:
		_, seen := o.refunds[refund]
		if _, known := o.states[refund]; !known && !seen && h.From == "" && h.To == string(order.RefundSucceeded) {
			put(&o.past, refund, true) // the provider or somebody at it did this; we only learned of it
			return nil
		}
		born := !seen && h.From == "" && h.To == a.refundBorn
		if !born && (!a.refundStates[e] || h.From != o.refunds[refund]) {
			bad("is no legal step")
		}
		put(&o.refunds, refund, h.To)
	}
	return nil
}

// put makes the maps that few orders need.
func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[key] = v
}

func last(s, initial string) string {
	if s == "" {
		return initial
	}
	return s
}

func (a *auditor) compareOrders() {
	for _, o := range a.orders {
		id := o.ID
		if o.LinesTotal != o.lines || o.Total != o.lines+o.adjustments {
			a.violate(OrderAddsUp, "tenant %s order %s: total %d and lines %d, the parts are %d and %d",
				id.Tenant, id.ID, o.Total, o.LinesTotal, o.lines+o.adjustments, o.lines)
		}
		var past int64
		for operation := range o.past {
			past += o.givenBack[operation]
		}
		// More than is due may have been captured, but then its way back has begun.
		if o.Captured-o.refundsAll-past > o.Total || o.Captured < 0 || o.Authorized < 0 {
			a.violate(OrderNotOvercaptured, "tenant %s order %s: captured %d of %d", id.Tenant, id.ID, o.Captured, o.Total)
		}
		if o.Refunded > o.Captured || o.Refunded < 0 {
			a.violate(OrderNotOverrefunded, "tenant %s order %s: refunded %d of %d", id.Tenant, id.ID, o.Refunded, o.Captured)
		}
		if o.Captured != o.paidCaptured || o.Refunded != o.paidRefunded {
			a.violate(OrderMoneyIsPayments, "tenant %s order %s: captured %d and refunded %d, payments say %d and %d",
				id.Tenant, id.ID, o.Captured, o.Refunded, o.paidCaptured, o.paidRefunded)
		}
		if o.Refunded != o.refundsSucceeded+past {
			a.violate(RefundsAreOperations, "tenant %s order %s: refunded %d, its refunds add up to %d",
				id.Tenant, id.ID, o.Refunded, o.refundsSucceeded+past)
		}
		for refund, state := range o.states {
			if o.refunds[refund] != state {
				a.violate(HistoryLegal, "tenant %s order %s: refund %s is %s, its history ends at %q",
					id.Tenant, id.ID, refund, state, o.refunds[refund])
			}
		}
		if o.state != o.State || o.payment != o.PaymentStatus && (o.payment != "" || !a.unpaid[o.PaymentStatus]) {
			a.violate(HistoryLegal, "tenant %s order %s is %s and %s, its history ends at %s and %s",
				id.Tenant, id.ID, o.State, o.PaymentStatus, o.state, o.payment)
		}
		a.compareNext(o)
		if a.terminal[o.State] && o.reserved {
			a.violate(NoOrphans, "tenant %s: stock is reserved for order %s, which is %s", id.Tenant, id.ID, o.State)
		}
	}
	a.compareCredits()
}

// compareNext checks that somebody will come back to an order that has not ended.
func (a *auditor) compareNext(o *orderSums) {
	if o.NextAction != "" && !o.NextActionAt.IsZero() {
		return
	}
	id := o.ID
	if !a.terminal[o.State] {
		a.violate(HasNextAction, "tenant %s order %s is %s and waits for nothing", id.Tenant, id.ID, o.State)
	}
	// Held money of an order that did not happen lapses by itself, in the end; that of one that
	// was delivered is the merchant's.
	if o.State == string(order.Completed) && o.Authorized > 0 && o.PaymentStatus == string(order.PaymentAuthorized) {
		a.violate(HasNextAction, "tenant %s order %s is completed, %d are held, and nobody asks for it", id.Tenant, id.ID, o.Authorized)
	}
}

func (a *auditor) compareCredits() {
	for id, c := range a.credits {
		if c.Total != c.refunds+c.Note {
			a.violate(CreditAddsUp, "tenant %s credit %s: total %d, refunds %d, note %d", id.Tenant, id.ID, c.Total, c.refunds, c.Note)
		}
		if c.Note != c.note {
			a.violate(CreditNotesAreJournal, "tenant %s credit %s: note %d, journal %d", id.Tenant, id.ID, c.Note, c.note)
		}
	}
}
