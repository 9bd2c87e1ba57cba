package memstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

type reconcileFileKey struct {
	tenant                  hyperlocal.TenantID
	source, account, digest string
}

type reconcileLineKey struct {
	run    payment.Key
	number int
}

type reconcileTables struct {
	runs        *table[payment.Key, reconcile.Run]
	files       *table[reconcileFileKey, string]
	lines       *table[reconcileLineKey, reconcile.Decided]
	claims      *table[payment.Key, reconcile.Claim]
	differences *table[payment.Key, reconcile.Difference]
	missing     *table[payment.Key, string] // by operation
}

func newReconcileTables() *reconcileTables {
	return &reconcileTables{
		runs:        newTable[payment.Key, reconcile.Run](),
		files:       newTable[reconcileFileKey, string](),
		lines:       newTable[reconcileLineKey, reconcile.Decided](),
		claims:      newTable[payment.Key, reconcile.Claim](),
		differences: newTable[payment.Key, reconcile.Difference](),
		missing:     newTable[payment.Key, string](),
	}
}

// Reconciliation is the store of package reconcile. It looks at every row for most reads.
type Reconciliation struct {
	db *DB
	t  *reconcileTables
}

// Reconciliation returns the store of runs, lines, claims and differences.
func (db *DB) Reconciliation() *Reconciliation {
	return &Reconciliation{db: db, t: part(db, newReconcileTables)}
}

var (
	_ reconcile.Store   = (*Reconciliation)(nil)
	_ hyperlocal.Scoped = (*Reconciliation)(nil)
)

// TxScope implements [hyperlocal.Scoped].
func (s *Reconciliation) TxScope() hyperlocal.Scope { return s.db.TxScope() }

func runKey(tenant hyperlocal.TenantID, id string) payment.Key {
	return payment.Key{Tenant: tenant, ID: id}
}

// CreateRun implements [reconcile.Store].
func (s *Reconciliation) CreateRun(ctx context.Context, r reconcile.Run) (reconcile.Run, bool, error) {
	t, err := s.db.must(ctx)
	if err != nil {
		return reconcile.Run{}, false, err
	}
	file := reconcileFileKey{r.Tenant, r.Source, r.Account, r.Digest}
	if id, ok := s.t.files.get(file); ok {
		known, _ := s.t.runs.get(runKey(r.Tenant, id))
		return known, false, nil
	}
	s.t.files.put(t, file, r.ID)
	s.t.runs.put(t, runKey(r.Tenant, r.ID), r)
	return r, true, nil
}

// LockRun implements [reconcile.Store].
func (s *Reconciliation) LockRun(ctx context.Context, tenant hyperlocal.TenantID, id string) (reconcile.Run, bool, error) {
	t, err := s.db.must(ctx)
	if err != nil {
		return reconcile.Run{}, false, err
	}
	if err := t.lock(hyperlocal.RankIntent); err != nil {
		return reconcile.Run{}, false, err
	}
	return s.Run(ctx, tenant, id)
}

// SaveRun implements [reconcile.Store].
func (s *Reconciliation) SaveRun(ctx context.Context, r reconcile.Run) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	k := runKey(r.Tenant, r.ID)
	old, ok := s.t.runs.get(k)
	if !ok || old.Version != r.Version-1 {
		return reconcile.ErrBusy.With("run", r.ID)
	}
	kept := old
	kept.Digest, kept.Phase, kept.Lines, kept.Place, kept.SweptAt, kept.Swept = r.Digest, r.Phase, r.Lines, r.Place, r.SweptAt, r.Swept
	kept.Problem, kept.UpdatedAt, kept.FinishedAt, kept.Version = r.Problem, r.UpdatedAt, r.FinishedAt, r.Version
	s.t.runs.put(t, k, kept)
	if old.Digest != r.Digest {
		s.t.files.del(t, reconcileFileKey{r.Tenant, old.Source, old.Account, old.Digest})
		s.t.files.put(t, reconcileFileKey{r.Tenant, old.Source, old.Account, r.Digest}, r.ID)
	}
	return nil
}

var errReconcileLine = hyperlocal.NewError(hyperlocal.CodeInternal, "reconcile/line_stored",
	"the line is stored already, or is not there")

// AppendLines implements [reconcile.Store].
func (s *Reconciliation) AppendLines(ctx context.Context, tenant hyperlocal.TenantID, run string, lines []reconcile.Line) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	for _, l := range lines {
		k := reconcileLineKey{runKey(tenant, run), l.Number}
		if _, taken := s.t.lines.get(k); taken {
			return errReconcileLine.With("line", l.Number)
		}
		l.References = slices.Clone(l.References)
		s.t.lines.put(t, k, reconcile.Decided{Line: l, Verdict: reconcile.Verdict{Number: l.Number}})
	}
	return nil
}

// Decide implements [reconcile.Store].
func (s *Reconciliation) Decide(ctx context.Context, tenant hyperlocal.TenantID, run string, verdicts []reconcile.Verdict) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	for _, v := range verdicts {
		k := reconcileLineKey{runKey(tenant, run), v.Number}
		d, ok := s.t.lines.get(k)
		if !ok {
			return errReconcileLine.With("line", v.Number)
		}
		d.Verdict = v
		s.t.lines.put(t, k, d)
	}
	return nil
}

// Claim implements [reconcile.Store].
func (s *Reconciliation) Claim(ctx context.Context, claims []reconcile.Claim) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	for _, c := range claims {
		k := runKey(c.Tenant, c.Operation)
		if _, taken := s.t.claims.get(k); taken {
			return hyperlocal.ErrTxRetry.With("operation", c.Operation)
		}
		s.t.claims.put(t, k, c)
	}
	return nil
}

// Suspend implements [reconcile.Store].
func (s *Reconciliation) Suspend(ctx context.Context, differences []reconcile.Difference) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	for _, d := range differences {
		if d.Reason == reconcile.MissingAtProvider {
			k := runKey(d.Tenant, d.Operation)
			if _, taken := s.t.missing.get(k); taken {
				return hyperlocal.ErrTxRetry.With("operation", d.Operation)
			}
			s.t.missing.put(t, k, d.ID)
		}
		s.t.differences.put(t, runKey(d.Tenant, d.ID), cloneDifference(d))
	}
	return nil
}

func cloneDifference(d reconcile.Difference) reconcile.Difference {
	d.Entries = slices.Clone(d.Entries)
	return d
}

// Settle implements [reconcile.Store].
func (s *Reconciliation) Settle(ctx context.Context, differences []reconcile.Difference) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	for _, d := range differences {
		k := runKey(d.Tenant, d.ID)
		old, ok := s.t.differences.get(k)
		if !ok || !old.Open() {
			return reconcile.ErrResolved.With("difference", d.ID)
		}
		old.ResolvedAt, old.ResolvedBy, old.ResolvedTo, old.Note = d.ResolvedAt, d.ResolvedBy, d.ResolvedTo, d.Note
		s.t.differences.put(t, k, old)
	}
	return nil
}

// Run implements [reconcile.Reader].
func (s *Reconciliation) Run(ctx context.Context, tenant hyperlocal.TenantID, id string) (r reconcile.Run, ok bool, err error) {
	err = s.db.read(ctx, func() error { r, ok = s.t.runs.get(runKey(tenant, id)); return nil })
	return r, ok, err
}

// ListRuns implements [reconcile.Reader].
func (s *Reconciliation) ListRuns(ctx context.Context, tenant hyperlocal.TenantID, source string, p hyperlocal.PageRequest) (hyperlocal.Page[reconcile.Run], error) {
	var page hyperlocal.Page[reconcile.Run]
	filter := []any{"reconcile_runs", tenant, source}
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	order := func(a, b reconcile.Run) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	}
	var from reconcile.Run
	if after != nil {
		if from.CreatedAt, err = microTime(after[0]); err != nil {
			return page, err
		}
		from.ID = after[1]
	}
	err = s.db.read(ctx, func() error {
		for k, r := range s.t.runs.all() {
			if k.Tenant == tenant && (source == "" || r.Source == source) && (after == nil || order(r, from) > 0) {
				page.Items = append(page.Items, r)
			}
		}
		return nil
	})
	slices.SortFunc(page.Items, order)
	if err == nil && len(page.Items) > size {
		page.Items = page.Items[:size]
		last := page.Items[size-1]
		page.Next, err = hyperlocal.EncodeCursor(filter, microText(last.CreatedAt), last.ID)
	}
	return page, err
}

// decided returns the lines of a run that keep accepts, by number.
func (s *Reconciliation) decided(ctx context.Context, tenant hyperlocal.TenantID, run string, keep func(*reconcile.Decided) bool) ([]reconcile.Decided, error) {
	var found []reconcile.Decided
	err := s.db.read(ctx, func() error {
		for k, d := range s.t.lines.all() {
			if k.run == runKey(tenant, run) && keep(&d) {
				d.Line.References = slices.Clone(d.Line.References)
				found = append(found, d)
			}
		}
		return nil
	})
	slices.SortFunc(found, func(a, b reconcile.Decided) int { return cmp.Compare(a.Line.Number, b.Line.Number) })
	return found, err
}

func linesOf(found []reconcile.Decided, limit int) []reconcile.Line {
	var lines []reconcile.Line
	for i := range found[:min(len(found), limit)] {
		lines = append(lines, found[i].Line)
	}
	return lines
}

// LinesAfter implements [reconcile.Reader].
func (s *Reconciliation) LinesAfter(ctx context.Context, tenant hyperlocal.TenantID, run string, outcome reconcile.Outcome, number, limit int) ([]reconcile.Line, error) {
	found, err := s.decided(ctx, tenant, run, func(d *reconcile.Decided) bool {
		return d.Verdict.Outcome == outcome && d.Line.Number > number
	})
	return linesOf(found, limit), err
}

// LinesOf implements [reconcile.Reader].
func (s *Reconciliation) LinesOf(ctx context.Context, tenant hyperlocal.TenantID, run string, payments []string, limit int) ([]reconcile.Line, error) {
	found, err := s.decided(ctx, tenant, run, func(d *reconcile.Decided) bool {
		return d.Verdict.Outcome == reconcile.Undecided && slices.Contains(payments, d.Line.Payment)
	})
	return linesOf(found, limit), err
}

// LinesWithID implements [reconcile.Reader].
func (s *Reconciliation) LinesWithID(ctx context.Context, tenant hyperlocal.TenantID, source, account string, ids []string) (found []reconcile.Known, err error) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	err = s.db.read(ctx, func() error {
		for k, d := range s.t.lines.all() {
			if k.run.Tenant != tenant || !wanted[d.Line.ID] {
				continue
			}
			if r, _ := s.t.runs.get(k.run); r.Source != source || r.Account != account {
				continue
			}
			d.Line.References = slices.Clone(d.Line.References)
			found = append(found, reconcile.Known{Line: d.Line, Run: k.run.ID, Outcome: d.Verdict.Outcome})
		}
		return nil
	})
	return found, err
}

// ListLines implements [reconcile.Reader].
func (s *Reconciliation) ListLines(ctx context.Context, tenant hyperlocal.TenantID, run string, outcome reconcile.Outcome, p hyperlocal.PageRequest) (hyperlocal.Page[reconcile.Decided], error) {
	var page hyperlocal.Page[reconcile.Decided]
	filter := []any{"reconcile_lines", tenant, run, outcome}
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 1)
	if err != nil {
		return page, err
	}
	after := 0
	if key != nil {
		if after, err = strconv.Atoi(key[0]); err != nil {
			return page, hyperlocal.ErrCursor
		}
	}
	page.Items, err = s.decided(ctx, tenant, run, func(d *reconcile.Decided) bool {
		return (outcome == "" || d.Verdict.Outcome == outcome) && d.Line.Number > after
	})
	if err == nil && len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next, err = hyperlocal.EncodeCursor(filter, strconv.Itoa(page.Items[size-1].Line.Number))
	}
	return page, err
}

// Claims implements [reconcile.Reader].
func (s *Reconciliation) Claims(ctx context.Context, tenant hyperlocal.TenantID, operations []string) (found []reconcile.Claim, err error) {
	err = s.db.read(ctx, func() error {
		for _, id := range operations {
			if c, ok := s.t.claims.get(runKey(tenant, id)); ok {
				found = append(found, c)
			}
		}
		return nil
	})
	return found, err
}

// Missing implements [reconcile.Reader].
func (s *Reconciliation) Missing(ctx context.Context, tenant hyperlocal.TenantID, operations []string) (found []reconcile.Difference, err error) {
	err = s.db.read(ctx, func() error {
		for _, operation := range operations {
			id, ok := s.t.missing.get(runKey(tenant, operation))
			if !ok {
				continue
			}
			d, _ := s.t.differences.get(runKey(tenant, id))
			found = append(found, cloneDifference(d))
		}
		return nil
	})
	return found, err
}

// Difference implements [reconcile.DifferenceReader].
func (s *Reconciliation) Difference(ctx context.Context, tenant hyperlocal.TenantID, id string) (d reconcile.Difference, ok bool, err error) {
	err = s.db.read(ctx, func() error {
		d, ok = s.t.differences.get(runKey(tenant, id))
		d = cloneDifference(d)
		return nil
	})
	return d, ok, err
}

// ListDifferences implements [reconcile.DifferenceReader].
func (s *Reconciliation) ListDifferences(ctx context.Context, tenant hyperlocal.TenantID, f reconcile.Filter, p hyperlocal.PageRequest) (hyperlocal.Page[reconcile.Difference], error) {
	var page hyperlocal.Page[reconcile.Difference]
	f.Before = hyperlocal.Instant(f.Before)
	filter := []any{"reconcile_differences", tenant, f}
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	order := func(a, b reconcile.Difference) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	}
	var from reconcile.Difference
	if after != nil {
		if from.Since, err = microTime(after[0]); err != nil {
			return page, err
		}
		from.ID = after[1]
	}
	err = s.db.read(ctx, func() error {
		for k, d := range s.t.differences.all() {
			switch {
			case k.Tenant != tenant,
				f.Run != "" && d.Run != f.Run,
				f.Source != "" && d.Source != f.Source,
				f.Account != "" && d.Account != f.Account,
				f.Reason != "" && d.Reason != f.Reason,
				f.Open && !d.Open(),
				!f.Before.IsZero() && !d.Since.Before(f.Before),
				after != nil && order(d, from) <= 0:
				continue
			}
			page.Items = append(page.Items, cloneDifference(d))
		}
		return nil
	})
	slices.SortFunc(page.Items, order)
	if err == nil && len(page.Items) > size {
		page.Items = page.Items[:size]
		last := page.Items[size-1]
		page.Next, err = hyperlocal.EncodeCursor(filter, microText(last.Since), last.ID)
	}
	return page, err
}

// Totals implements [reconcile.DifferenceReader].
func (s *Reconciliation) Totals(ctx context.Context, tenant hyperlocal.TenantID, run string) ([]reconcile.Total, error) {
	lines, err := s.decided(ctx, tenant, run, func(*reconcile.Decided) bool { return true })
	if err != nil {
		return nil, err
	}
	type key struct {
		outcome  reconcile.Outcome
		strategy reconcile.Strategy
		reason   reconcile.Reason
		currency hyperlocal.Currency
	}
	sums := make(map[key]*reconcile.Total)
	for i := range lines {
		l, v := &lines[i].Line, &lines[i].Verdict
		k := key{v.Outcome, v.Strategy, v.Reason, l.Gross.Currency()}
		if sums[k] == nil {
			sums[k] = &reconcile.Total{Outcome: v.Outcome, Strategy: v.Strategy, Reason: v.Reason}
		}
		t := sums[k]
		t.Lines++
		for _, sum := range []struct {
			to *hyperlocal.Money
			m  hyperlocal.Money
		}{{&t.Gross, l.Gross}, {&t.Fee, l.Fee}, {&t.Net, l.Net}} {
			if *sum.to, err = plus(*sum.to, sum.m); err != nil {
				return nil, err
			}
		}
	}
	var totals []reconcile.Total
	for _, t := range sums {
		totals = append(totals, *t)
	}
	slices.SortFunc(totals, func(a, b reconcile.Total) int {
		return cmp.Or(cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Strategy, b.Strategy), cmp.Compare(a.Reason, b.Reason),
			cmp.Compare(a.Gross.Currency(), b.Gross.Currency()))
	})
	return totals, nil
}

// plus adds to a sum that may not have begun, or nothing.
func plus(sum, m hyperlocal.Money) (hyperlocal.Money, error) {
	switch {
	case !m.IsValid():
		return sum, nil
	case !sum.IsValid():
		return m, nil
	}
	return sum.Add(m)
}

// Ages implements [reconcile.DifferenceReader].
func (s *Reconciliation) Ages(ctx context.Context, tenant hyperlocal.TenantID, run string, bounds [3]time.Time) ([]reconcile.Aged, error) {
	type key struct {
		age          int
		reason       reconcile.Reason
		theirs, ours hyperlocal.Currency
	}
	sums := make(map[key]*reconcile.Aged)
	err := s.db.read(ctx, func() (err error) {
		for k, d := range s.t.differences.all() {
			if k.Tenant != tenant || d.Run != run || !d.Open() {
				continue
			}
			age := 0
			for age < len(bounds) && d.Since.Before(bounds[age]) {
				age++
			}
			g := key{age, d.Reason, d.Theirs.Currency(), d.Ours.Currency()}
			if sums[g] == nil {
				sums[g] = &reconcile.Aged{Age: age, Reason: d.Reason}
			}
			a := sums[g]
			a.Differences++
			if a.Theirs, err = plus(a.Theirs, d.Theirs); err != nil {
				return err
			}
			if a.Ours, err = plus(a.Ours, d.Ours); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var aged []reconcile.Aged
	for _, a := range sums {
		aged = append(aged, *a)
	}
	slices.SortFunc(aged, func(a, b reconcile.Aged) int {
		return cmp.Or(cmp.Compare(a.Age, b.Age), cmp.Compare(a.Reason, b.Reason),
			cmp.Compare(a.Theirs.Currency(), b.Theirs.Currency()), cmp.Compare(a.Ours.Currency(), b.Ours.Currency()))
	})
	return aged, nil
}
