package retail

import (
	"cmp"
	"math"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// maxAmount bounds what a file moves, sales and credits together, in minor units of a
// currency: no order can be worth more points than there are, and there is room for the sums
// that books make of it, of what was due, captured, given back and noted.
func maxAmount(c hyperlocal.Currency) int64 {
	const room = math.MaxInt64 / 8
	if major := majorUnit(c); major < room/loyalty.MaxPoints {
		return major * loyalty.MaxPoints
	}
	return room
}

// tooBig returns the reason for which a row cannot be counted, or "". most is that of maxAmount.
func tooBig(price hyperlocal.Money, quantity, most int64) (reason, text string) {
	if quantity > inventory.MaxUnits || quantity < -inventory.MaxUnits {
		return ReasonUnits, "the quantity is more than stock can count"
	}
	if amount, err := price.Mul(quantity); err != nil || amount.Amount() > most || amount.Amount() < -most {
		return ReasonAmount, "the price times the quantity is too big"
	}
	return "", ""
}

func magnitude(n int64) int64 {
	if n < 0 {
		return -n // of what tooBig has let through
	}
	return n
}

// fit rejects the rows of a file that are too big together: what is left of them fits into
// stock, orders and books. A row that is rejected here was readable, so its document keeps
// its customer and date.
func fit(f *File) {
	f.withinUnits()
	f.withinLines()
	f.within(maxAmount(f.Currency), ReasonAmount, "the rows of the file are too big together", func(r *Row) int64 {
		amount, err := r.Price.Mul(r.Quantity)
		if err != nil {
			return math.MaxInt64 // tooBig has seen it
		}
		return magnitude(amount.Amount())
	})
	f.within(math.MaxInt64, ReasonUnits, "the quantities of the file are too big together", func(r *Row) int64 {
		return magnitude(r.Quantity)
	})
}

// withinUnits bounds what is received of each code: what is sold and what is written off.
func (f *File) withinUnits() {
	sums, big := make(map[string]int64), make(map[string][]sized)
	counted := func(each func(*Row)) {
		for i := range f.Documents {
			if d := &f.Documents[i]; !d.Credit {
				for j := range d.Rows {
					each(&d.Rows[j])
				}
			}
		}
	}
	counted(func(r *Row) {
		if sums[r.Code] <= inventory.MaxUnits { // and neither is the quantity above it
			sums[r.Code] += magnitude(r.Quantity)
		}
	})
	counted(func(r *Row) {
		if sums[r.Code] > inventory.MaxUnits {
			big[r.Code] = append(big[r.Code], sized{r.Line, magnitude(r.Quantity)})
		}
	})
	out := make(map[int]bool)
	for _, rows := range big {
		biggest(rows, inventory.MaxUnits, out)
	}
	f.reject(ReasonUnits, "the quantities of this code are too big together", out)
}

// withinLines bounds the lines of each order.
func (f *File) withinLines() {
	out := make(map[int]bool)
	for i := range f.Documents {
		d := &f.Documents[i]
		lines := 0
		for j := range d.Rows {
			if d.Credit || d.Rows[j].Quantity < 0 {
				continue
			}
			if lines++; lines > order.MaxLines {
				out[d.Rows[j].Line] = true
			}
		}
	}
	f.reject(ReasonLines, "the document has more lines than an order can have", out)
}

// within rejects the biggest rows of the file until the sizes of the others are no more than
// limit together. Sizes are not negative.
func (f *File) within(limit int64, reason, text string, size func(*Row) int64) {
	if f.sumWithin(limit, size) {
		return
	}
	var rows []sized
	for i := range f.Documents {
		d := &f.Documents[i]
		for j := range d.Rows {
			rows = append(rows, sized{d.Rows[j].Line, size(&d.Rows[j])})
		}
	}
	out := make(map[int]bool)
	biggest(rows, limit, out)
	f.reject(reason, text, out)
}

func (f *File) sumWithin(limit int64, size func(*Row) int64) bool {
	left := limit
	for i := range f.Documents {
		d := &f.Documents[i]
		for j := range d.Rows {
			n := size(&d.Rows[j])
			if n > left {
				return false
			}
			left -= n
		}
	}
	return true
}

// sized is a row, named by its line, and what it adds to a sum.
type sized struct {
	line int
	size int64
}

// biggest puts the biggest rows into out, later ones first, until the others are no more
// than limit together.
func biggest(rows []sized, limit int64, out map[int]bool) {
	slices.SortFunc(rows, func(a, b sized) int { return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.line, b.line)) })
	for _, r := range rows {
		if r.size > limit {
			out[r.line] = true
			continue
		}
		limit -= r.size
	}
}

// reject moves the rows on these lines to the rejected ones. Their notes stay: they are true.
func (f *File) reject(reason, text string, lines map[int]bool) {
	if len(lines) == 0 {
		return
	}
	for i := range f.Documents {
		d := &f.Documents[i]
		d.Rows = slices.DeleteFunc(d.Rows, func(r Row) bool {
			if lines[r.Line] {
				f.Rejected = append(f.Rejected, Rejected{Line: r.Line, Document: d.Number, Reason: reason, Text: text})
			}
			return lines[r.Line]
		})
	}
	f.Rows -= len(lines)
	slices.SortFunc(f.Rejected, func(a, b Rejected) int { return cmp.Compare(a.Line, b.Line) })
}
