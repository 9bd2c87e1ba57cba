package retail

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Plan is what to do with a file, and what must be true afterwards. It is complete before
// anything is done, does not change, and may be read by several goroutines. It shares the
// rows of its File.
type Plan struct {
	Digest   string              // of the file
	Currency hyperlocal.Currency // of every amount
	Opening  []Opening           // by code
	Codes    []CodeInfo          // by code
	Orders   []OrderPlan         // the documents that are no credits, in the order of the file
	Credits  []CreditPlan        // the credits, in the order of the file
	// Streams are sequences of steps. Those of one stream have to run in their order, each
	// after the one before is done; streams are independent of each other and may run in any
	// interleaving. A customer has one stream, and every document of a guest is one. Streams
	// are ordered by their first document.
	Streams  [][]Step
	Expected Expected
}

// Opening is the stock of one item before the first order: everything that is going to be
// sold or written off, so that no interleaving of the streams runs out of it. The receipt is
// referenced by the file's digest and the code.
type Opening struct {
	Code     string
	Title    string
	Quantity int64 // pieces to receive
	Left     int64 // pieces on hand when every stream is done: what has come back
}

// CodeInfo is one item that the file sells or writes off, stocked or not.
type CodeInfo struct {
	Code  string
	Title string           // of the first line that sells it under a title, else of a write-off; may be empty
	Goods bool             // stocked
	Price hyperlocal.Money // of the first line that sells it for more than zero; zero if none does
}

// OrderPlan is a document that is no credit: an order, write-offs, or both.
type OrderPlan struct {
	Document  int // index into File.Documents
	Number    string
	Customer  string // "" is a guest
	At        time.Time
	Lines     []Row            // positive quantities; empty means that there is no order
	WriteOffs []Row            // negative quantities; only those of goods move stock
	Total     hyperlocal.Money // of the lines; a total of zero needs no payment
	Refunded  hyperlocal.Money // by the credits of the whole file
	Points    int64            // that remain after them: one per whole major unit of Total less Refunded; none for guests
}

// CreditPlan is a document that gives money back.
type CreditPlan struct {
	Document int // index into File.Documents
	Number   string
	Customer string // "" is a guest
	At       time.Time
	Total    hyperlocal.Money // of the rows, positive: the sum of the parts' money and NoteMoney
	Parts    []CreditPart     // at most one per order, in the order in which the rows met them
	// NoteMoney is credited without an order: NoteRows added up. It may be zero.
	NoteMoney hyperlocal.Money
	NoteRows  []NoteRow
}

// CreditPart is what a credit gives back of one order. The money may be zero although units
// come back, if they were free, or if the order has nothing left to refund.
type CreditPart struct {
	Order         int // index into Plan.Orders
	OrderDocument string
	Money         hyperlocal.Money
	Items         []ReturnItem // at most one per line of the order, at least one
}

// ReturnItem is units of one line of an order that come back.
type ReturnItem struct {
	Row       int // Index of the order's line
	CreditRow int // Index of the credit's row, the first if several return units of this line
	Code      string
	Quantity  int64 // positive
	Goods     bool  // the units go back to stock
}

// NoteReason says why money is credited without an order.
type NoteReason string

// The reasons of a note.
const (
	// NoteUnmatched: no earlier order of the customer holds the units, or there is no customer.
	NoteUnmatched NoteReason = "unmatched"
	// NoteAboveOrder: the units are matched, but their money is more than is left refundable.
	NoteAboveOrder NoteReason = "above_order"
)

// NoteRow is the share of one row of a credit, for one reason, that belongs to no order.
type NoteRow struct {
	Row      int // Index of the credit's row
	Line     int
	Code     string
	Reason   NoteReason
	Quantity int64 // units that are not matched; zero for NoteAboveOrder, whose units are
	Money    hyperlocal.Money
}

// Step is one document to run: exactly one of the two is set. They point into the Plan.
type Step struct {
	Order  *OrderPlan
	Credit *CreditPlan
}

// Reference names a row of a document, such as "536589/1": the reference of the movement of
// a write-off. The index is Row.Index.
func Reference(document string, index int) string {
	return document + "/" + strconv.Itoa(index)
}

// Expected is what must have come out when every stream is done.
type Expected struct {
	Orders           int              `json:"orders"`          // documents with at least one line
	Credits          int              `json:"credits"`         // credit documents
	WriteOffLines    int              `json:"write_off_lines"` // rows, those of items that are not stocked included
	Sales            hyperlocal.Money `json:"sales"`           // order totals
	Credited         hyperlocal.Money `json:"credited"`        // the two below
	RefundedToOrders hyperlocal.Money `json:"refunded_to_orders"`
	CreditNotes      hyperlocal.Money `json:"credit_notes"`
	Net              hyperlocal.Money `json:"net"` // sales less credited
	Points           int64            `json:"points"`
	UnitsLeft        int64            `json:"units_left"` // pieces of goods on hand
}

// NewPlan plans a file. The matching of credits follows the package comment; what it leaves
// open is decided so:
//
//   - An order is earlier than a credit if its first row is. Rows of it that stand behind the
//     credit belong to it all the same.
//   - An order that holds a code in several lines gives units back from its first line on.
//   - The rows of a credit are matched one after the other, and so are their bounds.
//   - The bound of an order cuts money, not units: the units count as returned, those of goods
//     go back to stock, and the search for units does not go on in older orders to find room
//     for the money.
//   - A write-off of a code that is not stocked is counted and moves nothing.
//
// It takes time and memory in proportion to the rows. What Read returns can always be planned.
// Of other files, ErrOverflow says that an amount or a number of units does not fit into 64
// bits; one whose amounts do not go together fails with their error.
func NewPlan(f *File) (*Plan, error) {
	zero, err := hyperlocal.NewMoney(0, f.Currency)
	if err != nil {
		return nil, err
	}
	b := newBuilder(f, zero)
	for i := range f.Documents {
		if f.Documents[i].Credit {
			err = b.credit(i)
		} else {
			err = b.order(i)
		}
		if err != nil {
			return nil, overflow(err, "document", f.Documents[i].Number)
		}
	}
	if err := b.finish(); err != nil {
		return nil, overflow(err, "document", "")
	}
	return b.plan, nil
}

// overflow turns the overflow of an amount or a quantity into the package's own.
func overflow(err error, field, value string) error {
	switch hyperlocal.ReasonOf(err) {
	case hyperlocal.ErrOverflow.Reason, hyperlocal.ErrQuantityOverflow.Reason:
		return ErrOverflow.With(field, value).WithCause(err)
	}
	return err
}

// builder builds a Plan, document by document.
type builder struct {
	file    *File
	plan    *Plan
	zero    hyperlocal.Money
	streams map[string]int // of customers, index into plan.Streams
	codes   map[string]*codeTally
	returns *returns
}

// codeTally is what the file does with one code.
type codeTally struct {
	info                       CodeInfo
	titled                     bool // by a line that sells it
	sold, writtenOff, cameBack hyperlocal.Quantity
}

func newBuilder(f *File, zero hyperlocal.Money) *builder {
	credits := 0
	for i := range f.Documents {
		if f.Documents[i].Credit {
			credits++
		}
	}
	return &builder{
		file: f,
		zero: zero,
		plan: &Plan{
			Digest:   f.Digest,
			Currency: f.Currency,
			// The steps point into these, so they must not grow.
			Orders:  make([]OrderPlan, 0, len(f.Documents)-credits),
			Credits: make([]CreditPlan, 0, credits),
			Expected: Expected{
				Sales: zero, Credited: zero, RefundedToOrders: zero, CreditNotes: zero, Net: zero,
			},
		},
		streams: make(map[string]int),
		codes:   make(map[string]*codeTally),
		returns: newReturns(f),
	}
}

// step appends a step to its customer's stream, or to one of its own for a guest.
func (b *builder) step(customer string, s Step) {
	p := b.plan
	if customer != "" {
		if i, ok := b.streams[customer]; ok {
			p.Streams[i] = append(p.Streams[i], s)
			return
		}
		b.streams[customer] = len(p.Streams)
	}
	p.Streams = append(p.Streams, []Step{s})
}

// order plans a document that is no credit.
func (b *builder) order(index int) (err error) {
	d, p := &b.file.Documents[index], b.plan
	p.Orders = append(p.Orders, OrderPlan{
		Document: index, Number: d.Number, Customer: d.Customer, At: d.At, Total: b.zero, Refunded: b.zero,
	})
	o := &p.Orders[len(p.Orders)-1]
	o.Lines, o.WriteOffs = divide(d.Rows)
	for i := range o.Lines {
		line := &o.Lines[i]
		amount, err := line.Price.Mul(line.Quantity)
		if err != nil {
			return err
		}
		if o.Total, err = o.Total.Add(amount); err != nil {
			return err
		}
		t := b.tally(line)
		if t.info.Price.IsZero() {
			t.info.Price = line.Price
		}
		if t.sold, err = t.sold.Add(hyperlocal.Pieces(line.Quantity)); err != nil {
			return err
		}
	}
	for i := range o.WriteOffs {
		row := &o.WriteOffs[i]
		t := b.tally(row)
		if t.writtenOff, err = t.writtenOff.Sub(hyperlocal.Pieces(row.Quantity)); err != nil {
			return err
		}
	}
	if len(o.Lines) > 0 {
		p.Expected.Orders++
		b.returns.hold(o.Customer, len(p.Orders)-1, o.Lines)
	}
	p.Expected.WriteOffLines += len(o.WriteOffs)
	b.step(d.Customer, Step{Order: o})
	p.Expected.Sales, err = p.Expected.Sales.Add(o.Total)
	return err
}

// divide separates lines from write-offs. It copies only if a document has both.
func divide(rows []Row) (lines, writeOffs []Row) {
	negative := 0
	for i := range rows {
		if rows[i].Quantity < 0 {
			negative++
		}
	}
	switch negative {
	case 0:
		return rows, nil
	case len(rows):
		return nil, rows
	}
	lines, writeOffs = make([]Row, 0, len(rows)-negative), make([]Row, 0, negative)
	for i := range rows {
		if rows[i].Quantity < 0 {
			writeOffs = append(writeOffs, rows[i])
		} else {
			lines = append(lines, rows[i])
		}
	}
	return lines, writeOffs
}

// tally returns the tally of a row's code and takes the row's title if it has none yet, or
// only that of a write-off, which mostly says what was wrong with the item ("?", "damages").
func (b *builder) tally(row *Row) *codeTally {
	t := b.codes[row.Code]
	if t == nil {
		none := hyperlocal.Pieces(0)
		t = &codeTally{
			info: CodeInfo{Code: row.Code, Goods: row.Goods, Price: b.zero},
			sold: none, writtenOff: none, cameBack: none,
		}
		b.codes[row.Code] = t
	}
	if sells := row.Quantity > 0; row.Title != "" && !t.titled && (sells || t.info.Title == "") {
		t.info.Title, t.titled = row.Title, sells
	}
	return t
}

// finish computes what follows from all documents together.
func (b *builder) finish() (err error) {
	p := b.plan
	e := &p.Expected
	if e.Credited, err = e.RefundedToOrders.Add(e.CreditNotes); err != nil {
		return err
	}
	if e.Net, err = e.Sales.Sub(e.Credited); err != nil {
		return err
	}
	major := majorUnit(p.Currency)
	for i := range p.Orders {
		o := &p.Orders[i]
		left, err := o.Total.Sub(o.Refunded)
		if err != nil {
			return err
		}
		if o.Customer != "" {
			o.Points = left.Amount() / major
			e.Points += o.Points // never more than the sales in minor units, which fit
		}
	}
	for _, t := range b.codes {
		p.Codes = append(p.Codes, t.info)
	}
	slices.SortFunc(p.Codes, func(x, y CodeInfo) int { return cmp.Compare(x.Code, y.Code) })
	unitsLeft := hyperlocal.Pieces(0)
	for _, info := range p.Codes {
		if !info.Goods {
			continue
		}
		t := b.codes[info.Code]
		received, err := t.sold.Add(t.writtenOff)
		if err != nil {
			return overflow(err, "code", info.Code)
		}
		// What is received is what is sold and written off, so what came back is what is left.
		if unitsLeft, err = unitsLeft.Add(t.cameBack); err != nil {
			return err
		}
		p.Opening = append(p.Opening, Opening{
			Code: info.Code, Title: info.Title, Quantity: received.Value(), Left: t.cameBack.Value(),
		})
	}
	e.UnitsLeft = unitsLeft.Value()
	return nil
}

// majorUnit returns how many minor units one major unit has.
func majorUnit(c hyperlocal.Currency) int64 {
	decimals, _ := c.Decimals() // Read and NewPlan have checked the currency
	major := int64(1)
	for range decimals {
		major *= 10
	}
	return major
}
