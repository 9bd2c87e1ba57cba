package reconcile

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// hint is what is kept of a line that no reference leads anywhere.
type hint struct {
	number int
	at     time.Time

	operation *payment.Moved // one that no other line may be about
}

// alike is what a line and an operation agree in.
type alike struct {
	kind   Kind
	amount hyperlocal.Money
}

// guess pairs waiting lines with operations of the same kind and amount at about the same time
// where there is only one way to do so: the line has no other operation, and the operation no
// other line. The other lines go into suspense. It can be repeated from the start: what it has
// decided is not waiting any more, and cannot have been another line's only chance.
func (s *Service) guess(ctx context.Context, run Run) (Run, error) {
	pairs, err := s.pairs(ctx, &run)
	if err != nil {
		return run, err
	}
	for run.Phase == PhaseGuessing {
		run, err = s.step(ctx, run, func(ctx context.Context, run *Run) error {
			lines, err := s.Store.LinesAfter(ctx, run.Tenant, run.ID, Waiting, run.Place, s.Batch)
			if err != nil {
				return err
			}
			if len(lines) == 0 {
				run.Phase, run.Place = PhaseSweeping, 0
				return nil
			}
			run.Place = lines[len(lines)-1].Number
			return s.bookGuesses(ctx, run, lines, pairs)
		})
		if err != nil {
			return run, err
		}
	}
	return run, nil
}

func (s *Service) bookGuesses(ctx context.Context, run *Run, lines []Line, pairs map[int]payment.Moved) error {
	operations := make(map[string]*operation)
	for i := range lines {
		if m, ok := pairs[lines[i].Number]; ok {
			o, err := newOperation(m)
			if err != nil {
				return err
			}
			operations[m.Operation] = o
		}
	}
	if err := s.markClaimed(ctx, run.Tenant, operations); err != nil {
		return err
	}
	sets := make([]set, len(lines))
	for i := range lines {
		sets[i] = set{outcome: Suspended, reason: MissingInBooks, lines: []*Line{&lines[i]}}
		if o := operations[pairs[lines[i].Number].Operation]; o != nil && !o.used {
			sets[i] = set{outcome: Matched, strategy: ByAmount, lines: []*Line{&lines[i]}, operations: []*operation{o}}
		}
	}
	return s.book(ctx, run, sets)
}

// pairs finds the unambiguous ones, by the number of the line.
func (s *Service) pairs(ctx context.Context, run *Run) (map[int]payment.Moved, error) {
	if s.Window < 0 {
		return nil, nil
	}
	waiting := make(map[alike][]hint)
	var first, last time.Time
	for number := 0; ; {
		lines, err := s.Store.LinesAfter(ctx, run.Tenant, run.ID, Waiting, number, maxGroup)
		if err != nil {
			return nil, err
		}
		if len(lines) == 0 {
			break
		}
		for i := range lines {
			l := &lines[i]
			k := alike{l.Kind, l.wanted()}
			waiting[k] = append(waiting[k], hint{number: l.Number, at: l.At})
			if first.IsZero() || l.At.Before(first) {
				first = l.At
			}
			last = later(last, l.At)
		}
		number = lines[len(lines)-1].Number
	}
	if len(waiting) == 0 {
		return nil, nil
	}
	rises := make(map[alike][]int, len(waiting)) // by how much the chances of a line exceed those of the one before
	for k, hints := range waiting {
		slices.SortFunc(hints, func(a, b hint) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.number, b.number)) })
		rises[k] = make([]int, len(hints)+1)
	}
	r := payment.MovedRange{
		Tenant: run.Tenant, Gateway: run.Source, From: first.Add(-s.Window), Until: last.Add(s.Window + time.Microsecond),
	}
	for {
		moved, err := s.Books.MovedBetween(ctx, r, maxLookup)
		if err != nil {
			return nil, err
		}
		if len(moved) == 0 {
			break
		}
		end := &moved[len(moved)-1]
		r.AfterAt, r.AfterOperation = end.At, end.Operation
		if err := s.hintAt(ctx, run, moved, waiting, rises); err != nil {
			return nil, err
		}
	}
	pairs := make(map[int]payment.Moved)
	for k, hints := range waiting {
		chances := 0
		for i := range hints {
			if chances += rises[k][i]; chances == 1 && hints[i].operation != nil {
				pairs[hints[i].number] = *hints[i].operation
			}
		}
	}
	return pairs, nil
}

// hintAt tells the waiting lines of operations that may be theirs.
func (s *Service) hintAt(ctx context.Context, run *Run, moved []payment.Moved, waiting map[alike][]hint, rises map[alike][]int) error {
	operations := make(map[string]*operation)
	for i := range moved {
		o, err := newOperation(moved[i])
		if err != nil {
			return err
		}
		if _, ok := waiting[alike{o.kind(), o.amount}]; ok {
			operations[o.Operation] = o
		}
	}
	if err := s.markClaimed(ctx, run.Tenant, operations); err != nil {
		return err
	}
	for _, o := range operations {
		if o.used {
			continue
		}
		k := alike{o.kind(), o.amount}
		hints := waiting[k]
		from, _ := slices.BinarySearchFunc(hints, o.At.Add(-s.Window), func(h hint, t time.Time) int { return h.at.Compare(t) })
		until, _ := slices.BinarySearchFunc(hints, o.At.Add(s.Window+time.Microsecond), func(h hint, t time.Time) int { return h.at.Compare(t) })
		rises[k][from]++
		rises[k][until]--
		if until-from == 1 {
			hints[from].operation = &o.Moved
		}
	}
	return nil
}
