package ledger

import (
	"bytes"
	"context"
	"math"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Post writes all postings or none, in the transaction of ctx or in one of its own. A
// reference that exists with equal content is done already and changes nothing.
//
// Errors are those of [Service.PostMany], for the first posting that is refused. Nothing has
// been written then, and a caller in a transaction may go on with it.
//
// With an [Intake] a single posting is committed together with what others post at that moment.
func (s *Service) Post(ctx context.Context, postings ...hyperlocal.Posting) error {
	if s.gather != nil && len(postings) == 1 && !hyperlocal.InTx(ctx) {
		p := postings[0] // the slice is the caller's, who may leave before the commit
		p.Entries = slices.Clone(p.Entries)
		return s.postGathered(ctx, &p)
	}
	results, err := s.post(ctx, postings, true)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// PostMany writes postings in one transaction, that of ctx or one of its own, and answers
// each: results[i] belongs to postings[i]. A refused posting never fails its neighbours. They
// count in the order given: what an earlier one brings in, a later one can spend. The number
// of statements does not depend on the number of postings.
//
// Err of a result is one of: code invalid ("ledger/invalid_<field>", ErrUnbalanced,
// ErrOverflow), ErrReferenceConflict, ErrReversesUnknown, ErrInsufficient. Equal content
// means equal kind, subject, correction and entries; time and actor do not count.
//
// An error of PostMany itself means that nothing was written: code invalid for too large a
// batch, or what the store reports.
func (s *Service) PostMany(ctx context.Context, postings []hyperlocal.Posting) ([]Result, error) {
	return s.post(ctx, postings, false)
}

func (s *Service) post(ctx context.Context, postings []hyperlocal.Posting, all bool) ([]Result, error) {
	if len(postings) == 0 {
		return nil, nil
	}
	if len(postings) > MaxBatch {
		return nil, hyperlocal.Invalid("ledger", "batch", "at most 1000 postings are written at once")
	}
	candidates := make([]candidate, len(postings))
	valid, entries := 0, 0
	for i, p := range postings {
		candidates[i] = newCandidate(p)
		entries += len(p.Entries)
		if candidates[i].err == nil {
			valid++
		} else {
			candidates[i].err = named(candidates[i].err, p.Reference)
		}
	}
	if entries > MaxBatchEntries {
		return nil, hyperlocal.Invalid("ledger", "batch", "at most 20000 entries are written at once")
	}
	if valid == 0 || all && valid < len(postings) {
		results := make([]Result, len(postings))
		for i, c := range candidates {
			results[i].Err = c.err
		}
		return results, nil
	}
	var results []Result
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		b, err := s.decide(ctx, candidates)
		if err != nil {
			return err
		}
		results = b.results
		if len(b.accepted) == 0 || all && slices.ContainsFunc(results, func(r Result) bool { return r.Err != nil }) {
			return nil // nothing is queued: a caller's transaction stays usable
		}
		return s.store.Insert(ctx, b.accepted, b.changes())
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// batch is what the postings of one call add up to.
type batch struct {
	s        *Service
	recorded time.Time
	results  []Result
	accepted []Transaction
	known    map[Reference]Recorded // references that exist, those of this batch included
	held     map[Key]*holding       // bounded accounts
	free     map[Key]int64          // changes of unbounded accounts
	spill    []Change               // changes too large to be added to another
}

// holding is a bounded account under lock.
type holding struct {
	rule    Bound
	balance int64
	change  int64
}

// decide locks, reads and decides in memory; it writes nothing but missing balance rows.
func (s *Service) decide(ctx context.Context, candidates []candidate) (*batch, error) {
	b := &batch{
		s: s, recorded: s.clock.Now(), results: make([]Result, len(candidates)),
		known: make(map[Reference]Recorded, len(candidates)), free: make(map[Key]int64),
	}
	if err := b.lock(ctx, candidates); err != nil {
		return nil, err
	}
	if err := b.recall(ctx, candidates); err != nil {
		return nil, err
	}
	for i := range candidates {
		b.results[i] = b.take(&candidates[i])
	}
	return b, nil
}

// lock locks the bounded accounts of the batch. It comes before the references are read, so
// that two equal postings to a bounded account wait for each other and the second finds the
// first.
func (b *batch) lock(ctx context.Context, candidates []candidate) error {
	b.held = make(map[Key]*holding)
	for _, c := range candidates {
		if c.err != nil {
			continue
		}
		for _, n := range c.net {
			if rule, ok := b.s.bounded.of(n.Account); ok {
				b.held[n.Key] = &holding{rule: rule}
			}
		}
	}
	if len(b.held) == 0 {
		return nil
	}
	keys := make([]Key, 0, len(b.held))
	for k := range b.held {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, Key.Compare)
	balances, err := b.s.store.LockBalances(ctx, keys)
	if err != nil {
		return err
	}
	for i, k := range keys {
		b.held[k].balance = balances[i]
	}
	return nil
}

// recall reads which references exist.
func (b *batch) recall(ctx context.Context, candidates []candidate) error {
	var refs []Reference
	seen := make(map[Reference]bool, len(candidates))
	ask := func(r Reference) {
		if r.Reference != "" && !seen[r] {
			seen[r] = true
			refs = append(refs, r)
		}
	}
	for _, c := range candidates {
		if c.err == nil {
			ask(Reference{c.posting.Tenant, c.posting.Reference})
			ask(Reference{c.posting.Tenant, c.posting.Reverses})
		}
	}
	found, err := b.s.store.Recorded(ctx, refs)
	if err != nil {
		return err
	}
	for _, r := range found {
		b.known[r.Reference] = r
	}
	return nil
}

// take accepts a posting in memory, or says why not.
func (b *batch) take(c *candidate) Result {
	if c.err != nil {
		return Result{Err: c.err}
	}
	p := c.posting
	ref := Reference{p.Tenant, p.Reference}
	if r, ok := b.known[ref]; ok {
		if !bytes.Equal(r.Fingerprint, c.fingerprint[:]) {
			return Result{Err: named(ErrReferenceConflict, p.Reference)}
		}
		return Result{Transaction: r.Transaction, Replayed: true}
	}
	if p.Reverses != "" {
		if _, ok := b.known[Reference{p.Tenant, p.Reverses}]; !ok {
			return Result{Err: named(ErrReversesUnknown, p.Reference).With("reverses", p.Reverses)}
		}
	}
	for _, n := range c.net {
		if h := b.held[n.Key]; h != nil {
			if err := h.refuse(n); err != nil {
				return Result{Err: named(err, p.Reference)}
			}
		}
	}
	for _, n := range c.net {
		b.add(n)
	}
	t := Transaction{
		ID: b.s.ids.NewID(), Tenant: p.Tenant, Reference: p.Reference, Kind: p.Kind, Subject: p.Subject,
		Effective: hyperlocal.Instant(p.Effective), Recorded: b.recorded, Reverses: p.Reverses, Actor: p.Actor,
		Entries: slices.Clone(p.Entries), Fingerprint: c.fingerprint[:],
	}
	if t.Effective.IsZero() {
		t.Effective = b.recorded
	}
	b.accepted = append(b.accepted, t)
	b.known[ref] = Recorded{Reference: ref, Transaction: t.ID, Fingerprint: t.Fingerprint}
	return Result{Transaction: t.ID}
}

// refuse says why the account cannot take the change.
func (h *holding) refuse(n Change) *hyperlocal.Error {
	after, ok := sum(h.balance, n.Amount)
	if !ok {
		return ErrOverflow.With("account", n.Account.Path)
	}
	if _, ok := sum(h.change, n.Amount); !ok {
		return ErrOverflow.With("account", n.Account.Path)
	}
	if h.rule.permits(n.Amount, after) {
		return nil
	}
	return ErrInsufficient.With("account", n.Account.Path).With("asset", n.Account.Asset).
		With("balance", h.rule.toSide(h.balance)).With("minimum", h.rule.Min)
}

func (b *batch) add(n Change) {
	if h := b.held[n.Key]; h != nil {
		h.balance += n.Amount
		h.change += n.Amount
		return
	}
	total, ok := sum(b.free[n.Key], n.Amount)
	if !ok {
		b.spill = append(b.spill, n)
		return
	}
	b.free[n.Key] = total
}

// changes returns what the batch does to each account, sorted by key.
func (b *batch) changes() []Change {
	out := make([]Change, 0, len(b.held)+len(b.free)+len(b.spill))
	for k, h := range b.held {
		if h.change != 0 {
			out = append(out, Change{Key: k, Amount: h.change, Bounded: true})
		}
	}
	for k, amount := range b.free {
		if amount != 0 {
			out = append(out, Change{Key: k, Amount: amount})
		}
	}
	out = append(out, b.spill...)
	slices.SortStableFunc(out, func(x, y Change) int { return x.Key.Compare(y.Key) })
	for i := range out {
		out[i].ID = b.s.ids.NewID()
	}
	return out
}

// sum adds two amounts; false if the result, or its opposite, does not fit.
func sum(a, b int64) (int64, bool) {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < -math.MaxInt64-b {
		return 0, false
	}
	return a + b, true
}

// named adds the reference to a refusal, so that the caller of a batch sees whose it is.
func named(err error, reference string) *hyperlocal.Error {
	e, ok := err.(*hyperlocal.Error) //nolint:errorlint // refusals of this package are not wrapped
	if !ok {
		return hyperlocal.NewError(hyperlocal.CodeInternal, "ledger/unclassified", "a refusal without a code").WithCause(err)
	}
	return e.With("reference", reference)
}
