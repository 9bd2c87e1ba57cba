package audit

import (
	"context"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Config changes what is checked against. The zero value is right for a host that uses the
// SDK's own tables.
type Config struct {
	States   *order.StateTable   // nil: order.DefaultTable
	Payments *order.PaymentTable // nil: order.DefaultPaymentTable
	Refunds  *order.RefundTable  // nil: order.DefaultRefundTable
	Samples  int                 // how many violations of each invariant are named; 0 means 10
}

// Invariant is what was found about one invariant.
type Invariant struct {
	Name       string   `json:"name"` // stable
	Violations int      `json:"violations"`
	Samples    []string `json:"samples,omitempty"` // the first ones, each naming tenant and key
}

// Report is what an audit found, one entry per invariant, always all of them.
type Report struct {
	Invariants []Invariant `json:"invariants"`
	Orders     int         `json:"orders"`
	Movements  int         `json:"movements"`
	Entries    int         `json:"entries"`
}

// Violations is how many there are in all.
func (r Report) Violations() int {
	n := 0
	for _, i := range r.Invariants {
		n += i.Violations
	}
	return n
}

// The invariants.
const (
	StockLevelIsSum       = "stock_level_equals_movements"
	StockReservedIsOpen   = "stock_reserved_equals_open_reservations"
	StockNotNegative      = "stock_not_negative"
	OrderAddsUp           = "order_total_equals_lines_and_adjustments"
	OrderLineAddsUp       = "order_line_amount_equals_price_times_quantity"
	OrderNotOvercaptured  = "order_captured_within_due"
	OrderNotOverrefunded  = "order_refunded_within_captured"
	OrderMoneyIsPayments  = "order_money_equals_payments"
	MoneyIsJournal        = "payments_equal_journal"
	RefundsAreOperations  = "refunds_equal_order_refunded"
	CreditNotesAreJournal = "credit_notes_equal_journal"
	CreditAddsUp          = "credit_total_equals_refunds_and_note"
	JournalBalanced       = "journal_balanced"
	BalanceIsEntries      = "account_balance_equals_entries"
	PointsAreLots         = "points_equal_lots"
	LotIsMovements        = "lot_equals_movements"
	HistoryLegal          = "order_history_legal"
	HasNextAction         = "order_has_next_action"
	SandboxIsAttempts     = "sandbox_log_equals_attempts"
	ChargedOnce           = "charged_once"
	NoOrphans             = "no_orphans"
	NoCrossTenant         = "no_cross_tenant_reference"
	EventsInOrder         = "events_published_in_order"
)

// names is the order of the report.
func names() []string {
	return []string{
		StockLevelIsSum, StockReservedIsOpen, StockNotNegative, OrderAddsUp, OrderLineAddsUp, OrderNotOvercaptured,
		OrderNotOverrefunded, OrderMoneyIsPayments, MoneyIsJournal, RefundsAreOperations, CreditNotesAreJournal, CreditAddsUp,
		JournalBalanced, BalanceIsEntries, PointsAreLots, LotIsMovements, HistoryLegal, HasNextAction, SandboxIsAttempts,
		ChargedOnce, NoOrphans, NoCrossTenant, EventsInOrder,
	}
}

// Run checks everything with the SDK's own tables.
func Run(ctx context.Context, s Source) (Report, error) { return Config{}.Run(ctx, s) }

// Run checks everything. The error is that of the source; violations are in the report.
func (c Config) Run(ctx context.Context, s Source) (Report, error) {
	if s == nil {
		return Report{}, hyperlocal.Invalid("audit", "source", "an audit needs a source")
	}
	a := newAuditor(c)
	if err := s.Snapshot(ctx, a.read); err != nil {
		return Report{}, err
	}
	return a.report(), nil
}

// auditor collects what is read, and what is wrong with it.
type auditor struct {
	samples int
	found   map[string]*Invariant

	states, payments, refundStates edges
	terminal                       map[string]bool
	refundBorn                     string          // the state in which a refund begins
	unpaid                         map[string]bool // the payment statuses in which an order begins

	orders      map[ID]*orderSums
	credits     map[ID]*creditSums
	levels      map[Level]*levelSums
	operations  map[ID]Operation
	intents     map[ID]bool
	postings    map[ID]Posting
	byReference map[ID]ID
	accounts    map[Account]*accountSums
	lots        map[ID]*lotSums
	members     map[Account]int64
	elsewhere   map[string]string // id to tenant, to tell an orphan from a foreign reference

	movements, entries int
}

func newAuditor(c Config) *auditor {
	states, payments, refunds := order.DefaultTable(), order.DefaultPaymentTable(), order.DefaultRefundTable()
	if c.States != nil {
		states = *c.States
	}
	if c.Payments != nil {
		payments = *c.Payments
	}
	if c.Refunds != nil {
		refunds = *c.Refunds
	}
	a := &auditor{
		samples: c.Samples, found: make(map[string]*Invariant), states: edgesOf(states.Rows), payments: edgesOf(payments.Rows),
		refundStates: edgesOf(refunds.Rows), terminal: make(map[string]bool), orders: make(map[ID]*orderSums),
		credits: make(map[ID]*creditSums), levels: make(map[Level]*levelSums), operations: make(map[ID]Operation),
		intents: make(map[ID]bool), postings: make(map[ID]Posting), byReference: make(map[ID]ID),
		accounts: make(map[Account]*accountSums), lots: make(map[ID]*lotSums), members: make(map[Account]int64),
		elsewhere: make(map[string]string),
	}
	a.refundBorn = string(refunds.Initial)
	// That something is due is part of the placement, which the history of payment leaves out.
	a.unpaid = map[string]bool{string(payments.Initial): true}
	for _, r := range payments.Rows {
		if r.Trigger == order.TriggerOwe {
			a.unpaid[string(r.To)] = true
		}
	}
	if a.samples <= 0 {
		a.samples = 10
	}
	for _, s := range states.Terminal {
		a.terminal[string(s)] = true
	}
	for _, n := range names() {
		a.found[n] = &Invariant{Name: n}
	}
	return a
}

// edge is one legal transition.
type edge struct{ trigger, from, to string }

type edges map[edge]bool

func edgesOf[S ~string](rows []order.Row[S]) edges {
	e := make(edges)
	for _, r := range rows {
		for _, from := range r.From {
			e[edge{string(r.Trigger), string(from), string(r.To)}] = true
		}
	}
	return e
}

// violate records a violation.
func (a *auditor) violate(name, format string, args ...any) {
	inv := a.found[name]
	inv.Violations++
	if len(inv.Samples) < a.samples {
		inv.Samples = append(inv.Samples, fmt.Sprintf(format, args...))
	}
}

func (a *auditor) report() Report {
	r := Report{Orders: len(a.orders), Movements: a.movements, Entries: a.entries}
	for _, n := range names() {
		r.Invariants = append(r.Invariants, *a.found[n])
	}
	return r
}

// missing reports a row whose parent is not there: a foreign reference if the parent lives
// in another tenant, an orphan otherwise.
func (a *auditor) missing(what string, parent ID) {
	if t, ok := a.elsewhere[parent.ID]; ok && t != parent.Tenant {
		a.violate(NoCrossTenant, "%s of tenant %s refers to %s of tenant %s", what, parent.Tenant, parent.ID, t)
		return
	}
	a.violate(NoOrphans, "%s of tenant %s refers to %s, which does not exist", what, parent.Tenant, parent.ID)
}

// read reads every table and then compares.
func (a *auditor) read(ctx context.Context, t Tables) error {
	for _, f := range []func(context.Context, Tables) error{a.readOrders, a.readStock, a.readPayments, a.readLedger, a.readLoyalty, a.readEvents} {
		if err := f(ctx, t); err != nil {
			return err
		}
	}
	a.compareOrders()
	a.compareStock()
	a.compareLedger()
	return nil
}
