package retail

import "github.com/hyperlocal-sdk/hyperlocal"

// holder is a customer's holding of one code.
type holder struct{ customer, code string }

// held is one line of an order whose units have not all come back.
type held struct {
	order int // index into Plan.Orders
	row   int // Index of the line
	left  int64

	credit int // index into Plan.Credits of the last credit that took units, and
	item   int // where in that order's part it put them
}

// place says in which part of which credit an order was met last.
type place struct{ credit, part int }

// returns knows which units can still come back. Only what some credit asks for is kept.
//
// The lines of a holder are a stack whose top is taken first: the newest order, and within
// it the first line. A line is popped when it is empty, so matching a whole file costs one
// push and one pop per line.
type returns struct {
	lines map[holder][]held
	met   map[int]place // by order
}

func newReturns(f *File) *returns {
	r := &returns{lines: make(map[holder][]held), met: make(map[int]place)}
	for i := range f.Documents {
		d := &f.Documents[i]
		if !d.Credit || d.Customer == "" {
			continue
		}
		for j := range d.Rows {
			r.lines[holder{d.Customer, d.Rows[j].Code}] = nil
		}
	}
	return r
}

// hold makes the lines of an order returnable.
func (r *returns) hold(customer string, order int, lines []Row) {
	if customer == "" {
		return
	}
	for i := len(lines) - 1; i >= 0; i-- {
		key := holder{customer, lines[i].Code}
		if stack, wanted := r.lines[key]; wanted {
			r.lines[key] = append(stack, held{order: order, row: lines[i].Index, left: lines[i].Quantity, credit: -1})
		}
	}
}

// credit plans a document that gives money back.
func (b *builder) credit(index int) (err error) {
	d, p := &b.file.Documents[index], b.plan
	p.Credits = append(p.Credits, CreditPlan{
		Document: index, Number: d.Number, Customer: d.Customer, At: d.At, Total: b.zero, NoteMoney: b.zero,
	})
	c := &p.Credits[len(p.Credits)-1]
	for i := range d.Rows {
		if err := b.creditRow(c, &d.Rows[i]); err != nil {
			return err
		}
	}
	refunded := b.zero
	for i := range c.Parts {
		if refunded, err = refunded.Add(c.Parts[i].Money); err != nil {
			return err
		}
	}
	if c.Total, err = refunded.Add(c.NoteMoney); err != nil {
		return err
	}
	e := &p.Expected
	e.Credits++
	if e.RefundedToOrders, err = e.RefundedToOrders.Add(refunded); err != nil {
		return err
	}
	if e.CreditNotes, err = e.CreditNotes.Add(c.NoteMoney); err != nil {
		return err
	}
	b.step(d.Customer, Step{Credit: c})
	return nil
}

// creditRow gives one row back: to the orders that hold its units, newest first, and what is
// left of units or money to the note.
func (b *builder) creditRow(c *CreditPlan, row *Row) error {
	wanted, err := hyperlocal.Pieces(row.Quantity).Neg()
	if err != nil {
		return err
	}
	left, above := wanted.Value(), b.zero
	key := holder{c.Customer, row.Code}
	stack := b.returns.lines[key] // a guest holds nothing
	for left > 0 && len(stack) > 0 {
		top := &stack[len(stack)-1]
		units := min(left, top.left)
		cut, err := b.giveBack(c, row, top, units)
		if err != nil {
			return err
		}
		if above, err = above.Add(cut); err != nil {
			return err
		}
		left -= units
		if top.left -= units; top.left == 0 {
			stack = stack[:len(stack)-1]
		}
	}
	if c.Customer != "" {
		b.returns.lines[key] = stack
	}
	if above.Sign() > 0 {
		if err := c.note(row, NoteAboveOrder, 0, above); err != nil {
			return err
		}
	}
	if left == 0 {
		return nil
	}
	unmatched, err := row.Price.Mul(left)
	if err != nil {
		return err
	}
	return c.note(row, NoteUnmatched, left, unmatched)
}

// giveBack returns units of a line and refunds their money as far as the order has it. It
// returns the money that the order does not have.
func (b *builder) giveBack(c *CreditPlan, row *Row, line *held, units int64) (cut hyperlocal.Money, err error) {
	o := &b.plan.Orders[line.order]
	credit := len(b.plan.Credits) - 1
	money, err := row.Price.Mul(units)
	if err != nil {
		return cut, err
	}
	refundable, err := o.Total.Sub(o.Refunded)
	if err != nil {
		return cut, err
	}
	paid := money
	if money.Amount() > refundable.Amount() {
		paid = refundable
	}
	if cut, err = money.Sub(paid); err != nil {
		return cut, err
	}
	if o.Refunded, err = o.Refunded.Add(paid); err != nil {
		return cut, err
	}

	at, known := b.returns.met[line.order]
	if !known || at.credit != credit {
		at = place{credit: credit, part: len(c.Parts)}
		b.returns.met[line.order] = at
		c.Parts = append(c.Parts, CreditPart{Order: line.order, OrderDocument: o.Number, Money: b.zero})
	}
	part := &c.Parts[at.part]
	if part.Money, err = part.Money.Add(paid); err != nil {
		return cut, err
	}
	if line.credit != credit {
		line.credit, line.item = credit, len(part.Items)
		part.Items = append(part.Items, ReturnItem{
			Row: line.row, CreditRow: row.Index, Code: row.Code, Goods: row.Goods,
		})
	}
	part.Items[line.item].Quantity += units // never more than the line has

	t := b.codes[row.Code] // the order has counted it
	t.cameBack, err = t.cameBack.Add(hyperlocal.Pieces(units))
	return cut, err
}

// note credits money without an order.
func (c *CreditPlan) note(row *Row, reason NoteReason, units int64, money hyperlocal.Money) (err error) {
	c.NoteRows = append(c.NoteRows, NoteRow{
		Row: row.Index, Line: row.Line, Code: row.Code, Reason: reason, Quantity: units, Money: money,
	})
	c.NoteMoney, err = c.NoteMoney.Add(money)
	return err
}
