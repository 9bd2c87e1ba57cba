package reconcile

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// maxGroup bounds how many lines one transaction takes in because they share a payment.
const maxGroup = 10_000

// maxLookup is how many references or ids one call names.
const maxLookup = 10_000

// matchBatch decides the next lines, and with them all others of the same payments.
func (s *Service) matchBatch(ctx context.Context, run Run) (Run, error) {
	return s.step(ctx, run, func(ctx context.Context, run *Run) error {
		lines, err := s.Store.LinesAfter(ctx, run.Tenant, run.ID, Undecided, run.Place, s.Batch)
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			run.Phase, run.Place = PhaseGuessing, 0
			return nil
		}
		run.Place = lines[len(lines)-1].Number
		if lines, err = s.withSiblings(ctx, run, lines); err != nil {
			return err
		}
		sets, rest, err := s.known(ctx, run, lines)
		if err != nil {
			return err
		}
		matched, err := s.matchLines(ctx, run, rest)
		if err != nil {
			return err
		}
		return s.book(ctx, run, append(sets, matched...))
	})
}

// withSiblings adds the other undecided lines of the same payments.
func (s *Service) withSiblings(ctx context.Context, run *Run, lines []Line) ([]Line, error) {
	have := make(map[int]bool, len(lines))
	asked := make(map[string]bool)
	var payments []string
	for i := range lines {
		have[lines[i].Number] = true
		if p := lines[i].Payment; p != "" && !asked[p] {
			asked[p] = true
			payments = append(payments, p)
		}
	}
	siblings, err := s.Store.LinesOf(ctx, run.Tenant, run.ID, payments, maxGroup+1)
	if err != nil {
		return nil, err
	}
	if len(siblings) > maxGroup {
		return nil, ErrGroupTooLarge.With("line", lines[0].Number).With("limit", maxGroup)
	}
	for _, l := range siblings {
		if !have[l.Number] {
			lines = append(lines, l)
		}
	}
	slices.SortFunc(lines, func(a, b Line) int { return cmp.Compare(a.Number, b.Number) })
	return lines, nil
}

// known sorts out the lines that were seen before, and those that are the provider's own. rest
// are the others.
func (s *Service) known(ctx context.Context, run *Run, lines []Line) (sets []set, rest []*Line, err error) {
	ids := make([]string, len(lines))
	for i := range lines {
		ids[i] = lines[i].ID
	}
	seen := make(map[string][]Known)
	for part := range slices.Chunk(ids, maxLookup) {
		found, err := s.Store.LinesWithID(ctx, run.Tenant, run.Source, run.Account, part)
		if err != nil {
			return nil, nil, err
		}
		for _, k := range found {
			seen[k.ID] = append(seen[k.ID], k)
		}
	}
	for i := range lines {
		l := &lines[i]
		before, same := false, false
		for _, k := range seen[l.ID] {
			if k.Run == run.ID && k.Number < l.Number || k.Run != run.ID && k.Outcome != Undecided {
				before = true
				same = same || l.same(&k.Line)
			}
		}
		switch {
		case same:
			sets = append(sets, set{outcome: Repeated, lines: []*Line{l}})
		case before:
			sets = append(sets, set{outcome: Suspended, reason: Duplicate, lines: []*Line{l}})
		case l.Kind == KindCharge || l.Kind == KindRefund:
			rest = append(rest, l)
		case l.Kind == KindAdjustment:
			sets = append(sets, set{outcome: Suspended, reason: MissingInBooks, lines: []*Line{l}})
		default:
			sets = append(sets, set{outcome: Booked, lines: []*Line{l}})
		}
	}
	return sets, rest, nil
}

// matchLines looks charges and refunds up in our books.
func (s *Service) matchLines(ctx context.Context, run *Run, lines []*Line) ([]set, error) {
	asked := make(map[string]bool)
	var references []string
	for _, l := range lines {
		for _, r := range l.References {
			if !asked[r] {
				asked[r] = true
				references = append(references, r)
			}
		}
	}
	operations := make(map[string]*operation)
	for part := range slices.Chunk(references, maxLookup) {
		found, err := s.Books.MovedByReference(ctx, run.Tenant, run.Source, part...)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			if operations[m.Operation] != nil {
				continue
			}
			if operations[m.Operation], err = newOperation(m); err != nil {
				return nil, err
			}
		}
	}
	if err := s.markClaimed(ctx, run.Tenant, operations); err != nil {
		return nil, err
	}
	b := make(books)
	for _, o := range operations {
		b.add(o)
	}
	type key struct {
		payment string
		kind    Kind
		number  int
	}
	groups := make(map[key][]*Line)
	var order []key
	for _, l := range lines {
		k := key{payment: l.Payment, kind: l.Kind}
		if l.Payment == "" {
			k.number = l.Number
		}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], l)
	}
	var sets []set
	for _, k := range order {
		sets = append(sets, match(b, groups[k])...)
	}
	return sets, nil
}

// markClaimed marks the operations that are settled already.
func (s *Service) markClaimed(ctx context.Context, tenant hyperlocal.TenantID, operations map[string]*operation) error {
	ids := make([]string, 0, len(operations))
	for id := range operations {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for part := range slices.Chunk(ids, maxLookup) {
		claims, err := s.Store.Claims(ctx, tenant, part)
		if err != nil {
			return err
		}
		for _, c := range claims {
			operations[c.Operation].used = true
		}
	}
	return nil
}

// book writes what was decided: verdicts, claims, postings, differences, and the end of those
// differences that the decisions explain.
func (s *Service) book(ctx context.Context, run *Run, sets []set) error {
	b := &booking{s: s, run: run, actor: hyperlocal.System("reconcile")}
	for i := range sets {
		if err := b.add(&sets[i]); err != nil {
			return err
		}
	}
	if err := b.explain(ctx); err != nil {
		return err
	}
	// In a group that spans more than one batch, later lines may have been decided first.
	slices.SortFunc(b.verdicts, func(x, y Verdict) int { return cmp.Compare(x.Number, y.Number) })
	if err := s.Store.Decide(ctx, run.Tenant, run.ID, b.verdicts); err != nil {
		return err
	}
	if err := s.Store.Claim(ctx, b.claims); err != nil {
		return err
	}
	if err := s.Store.Suspend(ctx, b.differences); err != nil {
		return err
	}
	return s.post(ctx, b.postings)
}

type booking struct {
	s           *Service
	run         *Run
	actor       hyperlocal.Actor
	verdicts    []Verdict
	claims      []Claim
	differences []Difference
	postings    []hyperlocal.Posting
}

func (b *booking) add(x *set) error {
	first, operation := 0, ""
	if len(x.lines) > 0 {
		first = x.lines[0].Number
	}
	if len(x.operations) > 0 {
		operation = x.operations[0].Operation
	} else if x.about != nil {
		operation = x.about.Operation
	}
	for _, l := range x.lines {
		b.verdicts = append(b.verdicts, Verdict{
			Number: l.Number, Outcome: x.outcome, Strategy: x.strategy, Reason: x.reason, Set: first, Operation: operation,
		})
	}
	if first > 0 {
		for _, o := range x.operations {
			b.claims = append(b.claims, Claim{Tenant: b.run.Tenant, Operation: o.Operation, Run: b.run.ID, Line: first})
		}
	}
	switch x.outcome {
	case Matched, Booked:
		rest := accountExchange
		if x.outcome == Booked {
			rest = restOf(x.lines[0].Kind)
		}
		entries, err := entriesOf(b.run.Source, x.lines, x.operations, rest)
		if err != nil {
			return named(err, first)
		}
		b.posting("reconciled", lineReference(b.run, first), x, entries)
	case Suspended:
		return b.suspend(x, operation)
	}
	return nil
}

// named says which line an error is about.
func named(err error, line int) error {
	return hyperlocal.NewError(hyperlocal.CodeInvalid, hyperlocal.ReasonOf(err), "this line cannot be booked").
		With("line", line).WithCause(err)
}

func (b *booking) posting(kind, reference string, x *set, entries []hyperlocal.Entry) {
	p := hyperlocal.Posting{
		Tenant: b.run.Tenant, Reference: reference, Kind: kind, Subject: b.run.Ref(), Actor: b.actor, Entries: entries,
	}
	for _, l := range x.lines {
		p.Effective = later(p.Effective, l.At)
	}
	if len(x.operations) > 0 {
		p.Subject = hyperlocal.NewRef("payment", x.operations[0].Intent)
		if len(x.lines) == 0 {
			p.Effective = x.operations[0].At
		}
	}
	b.postings = append(b.postings, p)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// suspend opens a difference about a line, an operation, or both.
func (b *booking) suspend(x *set, operation string) error {
	entries, err := entriesOf(b.run.Source, x.lines, x.operations, accountSuspense)
	d := Difference{
		ID: b.s.IDs.NewID(), Tenant: b.run.Tenant, Run: b.run.ID, Source: b.run.Source, Account: b.run.Account,
		Reason: x.reason, Operation: operation, Entries: entries, OpenedAt: b.s.Clock.Now(),
	}
	if len(x.operations) > 0 {
		o := x.operations[0]
		d.Ours, d.Kind, d.Reference, d.Since = o.amount, o.kind(), o.Provider, o.At
		if d.Reference == "" {
			d.Reference = o.Key
		}
	}
	if len(x.lines) > 0 {
		l := x.lines[0]
		d.Line, d.Theirs, d.Kind, d.Reference, d.Since = l.Number, l.Gross, l.Kind, l.ID, l.At
	}
	if err != nil {
		return named(err, d.Line)
	}
	b.differences = append(b.differences, d)
	b.posting("suspended", d.posted(), x, entries)
	return nil
}

// explain ends the differences that said that an operation was missing which is now claimed.
func (b *booking) explain(ctx context.Context) error {
	var ids []string
	line := make(map[string]int)
	for _, c := range b.claims {
		ids = append(ids, c.Operation)
		line[c.Operation] = c.Line
	}
	var settled []Difference
	for part := range slices.Chunk(ids, maxLookup) {
		missing, err := b.s.Store.Missing(ctx, b.run.Tenant, part)
		if err != nil {
			return err
		}
		for _, d := range missing {
			if !d.Open() {
				continue
			}
			d.ResolvedAt, d.ResolvedBy = b.s.Clock.Now(), b.actor
			d.Note = "found in run " + b.run.ID + ", line " + strconv.Itoa(line[d.Operation])
			settled = append(settled, d)
			b.postings = append(b.postings, resolution(&d, taken(d.Entries, "")))
		}
	}
	return b.s.Store.Settle(ctx, settled)
}

// resolution is the posting that takes a difference out of suspense.
func resolution(d *Difference, entries []hyperlocal.Entry) hyperlocal.Posting {
	return hyperlocal.Posting{
		Tenant: d.Tenant, Reference: "reconcile/resolution/" + d.ID, Kind: "resolved", Subject: hyperlocal.NewRef("difference", d.ID),
		Effective: d.ResolvedAt, Reverses: d.posted(), Actor: d.ResolvedBy, Entries: entries,
	}
}
