package retail

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelRow is a well-formed row as somebody might write it, before it is written.
type modelRow struct {
	number, code, customer string
	quantity, pence        int64
	minute                 int // of a day in May 2024, -1 for no date
}

// model is the replay done unit by unit and by looking at everything again each time: slow,
// without an index, and with nothing in common with NewPlan but the rules.
type model struct {
	documents map[string]*modelDocument
	order     []string // document numbers in the order of the file
	rejected  map[string]int
	codes     map[string]int64 // goods on hand at the end

	orders, credits, writeOffs int
	sales, refunded, notes     int64
	points                     int64
}

type modelDocument struct {
	customer        string
	total, refunded int64
	notes           int64
	lines           int
	at              int
	units           []modelUnit
	credits         []modelRow
}

type modelUnit struct {
	code string
	back bool
}

func modelGoods(code string) bool {
	for i := range 5 {
		if i >= len(code) || !strings.ContainsRune("0123456789", rune(code[i])) {
			return false
		}
	}
	return true
}

func runModel(rows []modelRow) *model {
	m := &model{documents: map[string]*modelDocument{}, rejected: map[string]int{}, codes: map[string]int64{}}
	for _, row := range rows {
		d := m.documents[row.number]
		if d == nil {
			d = &modelDocument{at: -1}
			m.documents[row.number] = d
			m.order = append(m.order, row.number)
		}
		credit := row.number[0] == 'C'
		switch {
		case credit && row.quantity > 0:
			m.rejected[ReasonCreditQuantity]++
			continue
		case row.customer != "" && d.customer != "" && row.customer != d.customer:
			m.rejected[ReasonCustomer]++
			continue
		}
		if d.customer == "" {
			d.customer = row.customer
		}
		if row.minute >= 0 && (d.at < 0 || row.minute < d.at) {
			d.at = row.minute
		}
		d.lines++
		switch {
		case credit:
			d.credits = append(d.credits, row)
		case row.quantity < 0:
			m.writeOffs++
			if modelGoods(row.code) {
				m.codes[row.code] += 0
			}
		default:
			for range row.quantity {
				d.units = append(d.units, modelUnit{code: row.code})
			}
			d.total += row.quantity * row.pence
			if modelGoods(row.code) {
				m.codes[row.code] += 0
			}
		}
	}
	m.order = slices.DeleteFunc(m.order, func(number string) bool { return m.documents[number].lines == 0 })
	for position, number := range m.order {
		d := m.documents[number]
		if number[0] != 'C' {
			m.sales += d.total
			if len(d.units) > 0 {
				m.orders++
			}
			continue
		}
		m.credits++
		for _, row := range d.credits {
			for range -row.quantity {
				paid := int64(0)
				if source := m.find(d.customer, row.code, position); source != nil {
					paid = min(row.pence, source.total-source.refunded)
					source.refunded += paid
					if modelGoods(row.code) {
						m.codes[row.code]++
					}
				}
				m.refunded += paid
				d.notes += row.pence - paid
			}
		}
		m.notes += d.notes
	}
	for _, d := range m.documents {
		if d.customer != "" && len(d.units) > 0 {
			m.points += (d.total - d.refunded) / 100
		}
	}
	return m
}

// find takes a unit of the newest order before position and returns that order.
func (m *model) find(customer, code string, position int) *modelDocument {
	if customer == "" {
		return nil
	}
	for i := position - 1; i >= 0; i-- {
		d := m.documents[m.order[i]]
		if d.customer != customer {
			continue
		}
		for u := range d.units {
			if unit := &d.units[u]; unit.code == code && !unit.back {
				unit.back = true
				return d
			}
		}
	}
	return nil
}

// render writes rows in a dialect of the generator's choice.
func render(t *rapid.T, rows []modelRow) []byte {
	comma := rapid.SampledFrom([]rune{';', ',', '\t'}).Draw(t, "delimiter")
	decimal := rapid.SampledFrom([]string{",", "."}).Draw(t, "decimal")
	latin := rapid.Bool().Draw(t, "latin-1")
	dates := rapid.Bool().Draw(t, "dates")
	names := []string{"InvoiceNo", "STOCKCODE", "description", "Quantity", "Unit Price", "Customer ID", "Country"}
	if dates {
		names = append(names, "InvoiceDate")
	}
	permutation := rapid.Permutation(names).Draw(t, "columns")
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = comma, rapid.Bool().Draw(t, "CRLF")
	write := func(value func(name string) string) {
		record := make([]string, 0, len(permutation))
		for _, name := range permutation {
			record = append(record, value(name))
		}
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	write(func(name string) string { return name })
	for _, row := range rows {
		write(func(name string) string {
			switch name {
			case "InvoiceNo":
				return row.number
			case "STOCKCODE":
				return row.code
			case "description":
				return "Crème; \"" + row.code + "\",\n\tfresh"
			case "Quantity":
				return strconv.FormatInt(row.quantity, 10)
			case "Unit Price":
				return fmt.Sprintf("%d%s%02d", row.pence/100, decimal, row.pence%100)
			case "Customer ID":
				return row.customer
			case "InvoiceDate":
				if row.minute < 0 {
					return ""
				}
				return fmt.Sprintf("13/5/2024 %02d:%02d", row.minute/60, row.minute%60)
			}
			return "United Kingdom"
		})
	}
	w.Flush()
	text := b.String()
	if latin {
		return []byte(strings.ReplaceAll(text, "è", "\xe8"))
	}
	if rapid.Bool().Draw(t, "mark") {
		text = "\ufeff" + text
	}
	return []byte(text)
}

// Whatever the rows and however they are written, the plan is the model's, and money and
// units are neither made nor lost.
func TestPlanAgreesWithModel(t *testing.T) {
	t.Parallel()
	row := rapid.Custom(func(t *rapid.T) modelRow {
		r := modelRow{
			number:   rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6", "7", "8", "C1", "C2", "C3", "C4", "C5", "A1"}).Draw(t, "number"),
			code:     rapid.SampledFrom([]string{"10001", "10002A", "10002a", "POST", "1000"}).Draw(t, "code"),
			quantity: rapid.Int64Range(1, 6).Draw(t, "quantity"),
			pence:    rapid.SampledFrom([]int64{0, 1, 99, 100, 101, 250, 1000}).Draw(t, "pence"),
			minute:   rapid.IntRange(-1, 24*60-1).Draw(t, "minute"),
		}
		// Mostly one customer per document, sometimes none, seldom another.
		customers := []string{"", "a", "b"}
		at := int(r.number[len(r.number)-1]) % 3
		switch rapid.IntRange(0, 19).Draw(t, "who") {
		case 0:
			at = (at + 1) % 3
		case 1, 2:
			at = 0
		}
		r.customer = customers[at]
		if (r.number[0] == 'C') != (rapid.IntRange(0, 9).Draw(t, "sign") == 0) {
			r.quantity = -r.quantity
		}
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(row, 1, 60).Draw(t, "rows")
		text := render(t, rows)
		f, err := Read(bytes.NewReader(text), Options{Currency: "GBP"})
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewPlan(f)
		if err != nil {
			t.Fatal(err)
		}
		m := runModel(rows)
		compareModel(t, f, p, m)
		if len(f.Documents) > 0 && f.Dialect.Dates != NoDates {
			for _, d := range f.Documents {
				at := -1
				if !d.At.IsZero() {
					at = int(d.At.Sub(time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC)).Minutes())
				}
				if at != m.documents[d.Number].at {
					t.Fatalf("%s at %v, want minute %d", d.Number, d.At, m.documents[d.Number].at)
				}
			}
		}
		checkInvariants(t, f, p)
	})
}

func compareModel(t *rapid.T, f *File, p *Plan, m *model) {
	numbers := make([]string, 0, len(f.Documents))
	for _, d := range f.Documents {
		numbers = append(numbers, d.Number)
		if want := m.documents[d.Number].customer; d.Customer != want {
			t.Fatalf("%s of customer %q, want %q", d.Number, d.Customer, want)
		}
	}
	if !slices.Equal(numbers, m.order) {
		t.Fatalf("documents %v, want %v", numbers, m.order)
	}
	rejected := map[string]int{}
	for _, r := range f.Rejected {
		rejected[r.Reason]++
	}
	if !maps.Equal(rejected, m.rejected) {
		t.Fatalf("rejected %v, want %v", rejected, m.rejected)
	}
	for _, o := range p.Orders {
		d := m.documents[o.Number]
		if o.Total.Amount() != d.total || o.Refunded.Amount() != d.refunded {
			t.Fatalf("%s: %v less %v, want %d less %d", o.Number, o.Total, o.Refunded, d.total, d.refunded)
		}
	}
	for _, c := range p.Credits {
		if want := m.documents[c.Number].notes; c.NoteMoney.Amount() != want {
			t.Fatalf("%s: note %v, want %d", c.Number, c.NoteMoney, want)
		}
	}
	left := map[string]int64{}
	units := int64(0)
	for _, o := range p.Opening {
		left[o.Code] = o.Left
		units += o.Left
	}
	if !maps.Equal(left, m.codes) {
		t.Fatalf("left %v, want %v", left, m.codes)
	}
	e := p.Expected
	got := [...]int64{
		int64(e.Orders), int64(e.Credits), int64(e.WriteOffLines), e.Sales.Amount(), e.Credited.Amount(),
		e.RefundedToOrders.Amount(), e.CreditNotes.Amount(), e.Net.Amount(), e.Points, e.UnitsLeft,
	}
	want := [...]int64{
		int64(m.orders), int64(m.credits), int64(m.writeOffs), m.sales, m.refunded + m.notes,
		m.refunded, m.notes, m.sales - m.refunded - m.notes, m.points, units,
	}
	if got != want {
		t.Fatalf("expected\ngot  %v\nwant %v", got, want)
	}
}

// fataler is what a test and a property test have in common.
type fataler interface {
	Fatalf(format string, args ...any)
}

// checkInvariants checks what holds for every plan.
func checkInvariants(t fataler, f *File, p *Plan) {
	e := p.Expected
	if e.Credited.Amount() != e.RefundedToOrders.Amount()+e.CreditNotes.Amount() || e.Net.Amount() != e.Sales.Amount()-e.Credited.Amount() {
		t.Fatalf("the sums do not add up: %+v", e)
	}

	// Each document is one step, and a customer's steps are in the order of the file.
	seen, customers := map[int]bool{}, map[string]bool{}
	for _, stream := range p.Streams {
		last, owner := -1, ""
		for i, step := range stream {
			if (step.Order == nil) == (step.Credit == nil) {
				t.Fatalf("a step has one document: %+v", step)
			}
			document, customer := 0, ""
			if step.Order != nil {
				document, customer = step.Order.Document, step.Order.Customer
			} else {
				document, customer = step.Credit.Document, step.Credit.Customer
			}
			if i == 0 {
				owner = customer
			}
			if document <= last || seen[document] || customer != owner || customer == "" && len(stream) > 1 || i == 0 && customer != "" && customers[customer] {
				t.Fatalf("document %d of %q in a stream of %q after %d", document, customer, owner, last)
			}
			last, seen[document], customers[owner] = document, true, true
		}
	}
	if len(seen) != len(f.Documents) {
		t.Fatalf("%d documents in streams, want %d", len(seen), len(f.Documents))
	}

	// Credits: money and units come from somewhere.
	type line struct{ order, row int }
	returned, refunded, onHand := map[line]int64{}, map[int]int64{}, map[string]int64{}
	for _, c := range p.Credits {
		sum, notes, units := c.NoteMoney.Amount(), int64(0), int64(0)
		parts := map[int]bool{}
		for _, part := range c.Parts {
			order := p.Orders[part.Order]
			if parts[part.Order] || len(part.Items) == 0 || part.Money.Sign() < 0 || order.Number != part.OrderDocument || order.Customer != c.Customer || order.Document >= c.Document || c.Customer == "" {
				t.Fatalf("%s: part %+v of %+v", c.Number, part, order)
			}
			parts[part.Order] = true
			sum += part.Money.Amount()
			refunded[part.Order] += part.Money.Amount()
			lines := map[int]bool{}
			for _, item := range part.Items {
				if lines[item.Row] || item.Quantity < 1 {
					t.Fatalf("%s: item %+v", c.Number, item)
				}
				lines[item.Row] = true
				units += item.Quantity
				returned[line{part.Order, item.Row}] += item.Quantity
				if item.Goods {
					onHand[item.Code] += item.Quantity
				}
				if !slices.ContainsFunc(order.Lines, func(r Row) bool { return r.Index == item.Row && r.Code == item.Code && r.Goods == item.Goods }) ||
					!slices.ContainsFunc(f.Documents[c.Document].Rows, func(r Row) bool { return r.Index == item.CreditRow && r.Code == item.Code }) {
					t.Fatalf("%s: item %+v belongs to no line", c.Number, item)
				}
			}
		}
		for _, n := range c.NoteRows {
			notes += n.Money.Amount()
			units += n.Quantity
		}
		total := int64(0)
		for _, row := range f.Documents[c.Document].Rows {
			total += -row.Quantity * row.Price.Amount()
			units += row.Quantity
		}
		if sum != total || c.Total.Amount() != total || notes != c.NoteMoney.Amount() || units != 0 {
			t.Fatalf("%s: %d of %d, notes %d of %v, %d units astray", c.Number, sum, total, notes, c.NoteMoney, units)
		}
	}
	for i, o := range p.Orders {
		if o.Refunded.Amount() != refunded[i] || refunded[i] > o.Total.Amount() {
			t.Fatalf("%s: refunded %v, parts say %d, of %v", o.Number, o.Refunded, refunded[i], o.Total)
		}
		for _, row := range o.Lines {
			if returned[line{i, row.Index}] > row.Quantity {
				t.Fatalf("%s/%d: %d returned of %d", o.Number, row.Index, returned[line{i, row.Index}], row.Quantity)
			}
			if row.Goods {
				onHand[row.Code] -= row.Quantity
			}
		}
		for _, row := range o.WriteOffs {
			if row.Goods {
				onHand[row.Code] += row.Quantity
			}
		}
	}
	left := int64(0)
	for _, o := range p.Opening {
		if onHand[o.Code]+o.Quantity != o.Left || o.Left < 0 {
			t.Fatalf("%s: opening %d, moved %d, left %d", o.Code, o.Quantity, onHand[o.Code], o.Left)
		}
		left += o.Left
	}
	if left != e.UnitsLeft {
		t.Fatalf("%d units left, want %d", left, e.UnitsLeft)
	}
}
