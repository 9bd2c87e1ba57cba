package reconcile

import (
	"cmp"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// operation is what moved by our books, on the way to be settled.
type operation struct {
	payment.Moved
	amount hyperlocal.Money // signed as a line is
	used   bool             // settled by a line, now or earlier
}

func newOperation(m payment.Moved) (*operation, error) {
	o := &operation{Moved: m, amount: m.Amount}
	if m.Kind == payment.MovedRefund {
		var err error
		if o.amount, err = m.Amount.Neg(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// kind of the lines that are about it.
func (o *operation) kind() Kind {
	if o.Moved.Kind == payment.MovedRefund {
		return KindRefund
	}
	return KindCharge
}

// fee that the journal holds already, the zero Money for none.
func (o *operation) booked() hyperlocal.Money {
	if o.Fee.Sign() > 0 {
		return o.Fee
	}
	return hyperlocal.Money{}
}

// books finds operations by what lines call them.
type books map[string][]*operation

func (b books) add(o *operation) {
	seen := make(map[string]bool, 3)
	for _, reference := range []string{o.Key, o.Provider, o.Intent} {
		if reference != "" && !seen[reference] {
			seen[reference] = true
			b[reference] = append(b[reference], o)
		}
	}
}

// of returns the operations that a line may be about: those of the first reference that leads
// anywhere, so that a payment's reference does not bring its other captures in.
func (b books) of(l *Line) []*operation {
	for _, reference := range l.References {
		var found []*operation
		for _, o := range b[reference] {
			if o.kind() == l.Kind {
				found = append(found, o)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// set is lines and operations that were decided together.
type set struct {
	outcome    Outcome
	strategy   Strategy
	reason     Reason
	lines      []*Line
	operations []*operation // settled by the lines
	about      *operation   // of a duplicate: what was settled before
}

// match decides the lines of one payment and kind. Every line is in one set, and an operation
// at most in one. A line that no reference leads anywhere is left waiting.
//
// Tried in order: one line for one operation of its amount; several lines that sum up to one;
// several operations that sum up to one line. What is left is paired off as it comes: it is
// about these operations, and the amounts differ.
func match(b books, lines []*Line) []set {
	slices.SortFunc(lines, func(x, y *Line) int { return cmp.Compare(x.Number, y.Number) })
	m := &matcher{candidates: make(map[*Line][]*operation, len(lines))}
	for _, l := range lines {
		found := b.of(l)
		slices.SortFunc(found, compareOperations)
		if len(found) == 0 {
			m.sets = append(m.sets, set{outcome: Waiting, lines: []*Line{l}})
			continue
		}
		m.candidates[l] = found
		m.open = append(m.open, l)
	}
	m.oneToOne()
	m.manyToOne()
	m.oneToMany()
	m.rest()
	return m.sets
}

func compareOperations(x, y *operation) int {
	return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Operation, y.Operation))
}

type matcher struct {
	candidates map[*Line][]*operation
	open       []*Line // not decided yet, by number
	sets       []set
}

// settle adds a set and takes its lines out.
func (m *matcher) settle(strategy Strategy, lines []*Line, operations []*operation) {
	for _, o := range operations {
		o.used = true
	}
	m.sets = append(m.sets, set{outcome: Matched, strategy: strategy, lines: lines, operations: operations})
	m.open = slices.DeleteFunc(m.open, func(l *Line) bool { return slices.Contains(lines, l) })
}

func (m *matcher) oneToOne() {
	for _, l := range slices.Clone(m.open) {
		i := slices.IndexFunc(m.candidates[l], func(o *operation) bool { return !o.used && o.amount == l.wanted() })
		if i >= 0 {
			m.settle(ByReference, []*Line{l}, m.candidates[l][i:i+1])
		}
	}
}

func (m *matcher) manyToOne() {
	tried := make(map[*operation]bool)
	for _, l := range slices.Clone(m.open) {
		for _, o := range m.candidates[l] {
			if o.used || tried[o] {
				continue
			}
			tried[o] = true
			var lines []*Line
			var amounts []hyperlocal.Money
			for _, other := range m.open {
				if other.wanted().Currency() == o.amount.Currency() && slices.Contains(m.candidates[other], o) {
					lines = append(lines, other)
					amounts = append(amounts, other.wanted())
				}
			}
			sum, err := hyperlocal.Sum(o.amount.Currency(), amounts...)
			if err == nil && len(lines) > 1 && sum == o.amount {
				m.settle(ManyToOne, lines, []*operation{o})
			}
		}
	}
}

func (m *matcher) oneToMany() {
	for _, l := range slices.Clone(m.open) {
		var operations []*operation
		var amounts []hyperlocal.Money
		for _, o := range m.candidates[l] {
			if !o.used && o.amount.Currency() == l.wanted().Currency() {
				operations = append(operations, o)
				amounts = append(amounts, o.amount)
			}
		}
		sum, err := hyperlocal.Sum(l.wanted().Currency(), amounts...)
		if err == nil && len(operations) > 1 && sum == l.wanted() {
			m.settle(OneToMany, []*Line{l}, operations)
		}
	}
}

func (m *matcher) rest() {
	for _, l := range m.open {
		s := set{outcome: Suspended, lines: []*Line{l}}
		i := slices.IndexFunc(m.candidates[l], func(o *operation) bool { return !o.used })
		if i < 0 {
			s.reason, s.about = Duplicate, m.candidates[l][0]
			m.sets = append(m.sets, s)
			continue
		}
		o := m.candidates[l][i]
		o.used = true
		s.operations = []*operation{o}
		if s.reason = AmountDiffers; o.amount.Currency() != l.wanted().Currency() {
			s.reason = CurrencyDiffers
		}
		m.sets = append(m.sets, s)
	}
	m.open = nil
}
