package bunstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

// Run implements [reconcile.Reader].
func (o *Reconciliation) Run(ctx context.Context, tenant hyperlocal.TenantID, id string) (reconcile.Run, bool, error) {
	if !hyperlocal.ValidID(id) {
		return reconcile.Run{}, false, nil
	}
	var found []reconcile.Run
	err := o.s.query(ctx, reconcileRunHead+`$1 AND r.id = {pg CAST(}$2{pg  AS uuid)}`, nil, []any{string(tenant), id},
		func(rows row) error { return scanReconcileRun(rows, &found) })
	if err != nil || len(found) == 0 {
		return reconcile.Run{}, false, err
	}
	return found[0], true, nil
}

// ListRuns implements [reconcile.Reader].
func (o *Reconciliation) ListRuns(ctx context.Context, tenant hyperlocal.TenantID, source string, p hyperlocal.PageRequest) (hyperlocal.Page[reconcile.Run], error) {
	var page hyperlocal.Page[reconcile.Run]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"reconcile_runs", tenant, source}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	var c conditions
	c.add(reconcileRunHead+`%s`, string(tenant))
	if source != "" {
		c.add(` AND r.source = %s`, source)
	}
	if key != nil {
		before, err := timeKey(key)
		if err != nil {
			return page, err
		}
		c.add(` AND (r.created_at, r.id) < (%s, {pg CAST(}%s{pg  AS uuid)})`, o.s.at(before), key[1])
	}
	c.add(` ORDER BY r.created_at DESC, r.id DESC LIMIT %s`, int64(size+1))
	err = o.s.query(ctx, c.text, nil, c.args, func(rows row) error { return scanReconcileRun(rows, &page.Items) })
	if err != nil {
		return hyperlocal.Page[reconcile.Run]{}, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := &page.Items[size-1]
		page.Next, err = hyperlocal.EncodeCursor(filter, strconv.FormatInt(last.CreatedAt.UnixMicro(), 10), last.ID)
	}
	return page, err
}

// timeKey reads a key of a time and an id.
func timeKey(key []string) (time.Time, error) {
	micro, err := strconv.ParseInt(key[0], 10, 64)
	if err != nil || !hyperlocal.ValidID(key[1]) {
		return time.Time{}, hyperlocal.ErrCursor
	}
	return time.UnixMicro(micro), nil
}

const reconcileLineHead = `SELECT l.n, l.line_id, l.kind, l.payment, l.refs, l.gross, l.fee, l.net, l.currency, l.presented,
 l.presented_currency, l.at, l.outcome, l.strategy, l.reason, l.set_of, l.operation, l.run`

// scanReconcileLine reads the line in the current row, and the run that it is of.
func scanReconcileLine(rows row) (d reconcile.Decided, run string, err error) {
	l, v := &d.Line, &d.Verdict
	var references json.RawMessage
	var gross, fee, net int64
	var currency, presentedCurrency string
	var presented sql.NullInt64
	err = rows.Scan(&l.Number, &l.ID, &l.Kind, &l.Payment, document{&references}, &gross, &fee, &net, &currency, &presented,
		nullText[string]{&presentedCurrency}, instant{&l.At}, &v.Outcome, &v.Strategy, &v.Reason, &v.Set,
		nullText[string]{&v.Operation}, &run)
	if err != nil {
		return d, run, err
	}
	v.Number = l.Number
	if string(references) != "[]" {
		if err := json.Unmarshal(references, &l.References); err != nil {
			return d, run, internal("store/decode", "stored references cannot be decoded").WithCause(err)
		}
	}
	m := moneyOf{currency: hyperlocal.Currency(currency)}
	l.Gross, l.Fee, l.Net = m.of(gross), m.of(fee), m.of(net)
	if presented.Valid {
		m.currency = hyperlocal.Currency(presentedCurrency)
		l.Presented = m.of(presented.Int64)
	}
	return d, run, m.err
}

// LinesAfter implements [reconcile.Reader].
func (o *Reconciliation) LinesAfter(ctx context.Context, tenant hyperlocal.TenantID, run string, outcome reconcile.Outcome, number, limit int) ([]reconcile.Line, error) {
	if !hyperlocal.ValidID(run) {
		return nil, nil
	}
	var lines []reconcile.Line
	err := o.s.query(ctx, reconcileLineHead+` FROM hc_reconcile_lines AS l
 WHERE l.tenant = $1 AND l.run = {pg CAST(}$2{pg  AS uuid)} AND l.n > $3 AND l.outcome = $4 ORDER BY l.n LIMIT $5`, nil,
		[]any{string(tenant), run, int64(number), string(outcome), int64(limit)}, func(rows row) error {
			d, _, err := scanReconcileLine(rows)
			lines = append(lines, d.Line)
			return err
		})
	return lines, err
}

const reconcileLinesOf = reconcileLineHead + ` FROM {k} k CROSS JOIN hc_reconcile_lines AS l {sqlite INDEXED BY hc_reconcile_lines_payment}
 WHERE l.tenant = k.tenant AND l.run = k.run AND l.payment = k.payment AND l.outcome = '' LIMIT $1`

// LinesOf implements [reconcile.Reader].
func (o *Reconciliation) LinesOf(ctx context.Context, tenant hyperlocal.TenantID, run string, payments []string, limit int) ([]reconcile.Line, error) {
	payments = sortedTexts(payments)
	var lines []reconcile.Line
	err := o.s.query(ctx, reconcileLinesOf, newRel(len(payments)).
		text("tenant", repeat(string(tenant), len(payments))).uuid("run", repeat(run, len(payments))).text("payment", payments),
		[]any{int64(limit)}, func(rows row) error {
			d, _, err := scanReconcileLine(rows)
			lines = append(lines, d.Line)
			return err
		})
	return lines, err
}

func sortedTexts(texts []string) []string {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	return slices.Compact(texts)
}

const reconcileLinesWithID = reconcileLineHead + ` FROM {k} k CROSS JOIN hc_reconcile_lines AS l {sqlite INDEXED BY hc_reconcile_lines_id}
 CROSS JOIN hc_reconcile_runs AS r WHERE l.tenant = k.tenant AND l.line_id = k.line_id
 AND r.tenant = l.tenant AND r.id = l.run AND r.source = k.source AND r.account = k.account`

// LinesWithID implements [reconcile.Reader].
func (o *Reconciliation) LinesWithID(ctx context.Context, tenant hyperlocal.TenantID, source, account string, ids []string) ([]reconcile.Known, error) {
	ids = sortedTexts(ids)
	var known []reconcile.Known
	err := o.s.query(ctx, reconcileLinesWithID, newRel(len(ids)).
		text("tenant", repeat(string(tenant), len(ids))).text("source", repeat(source, len(ids))).
		text("account", repeat(account, len(ids))).text("line_id", ids), nil, func(rows row) error {
		d, run, err := scanReconcileLine(rows)
		known = append(known, reconcile.Known{Line: d.Line, Run: run, Outcome: d.Verdict.Outcome})
		return err
	})
	return known, err
}

// ListLines implements [reconcile.Reader].
func (o *Reconciliation) ListLines(ctx context.Context, tenant hyperlocal.TenantID, run string, outcome reconcile.Outcome, p hyperlocal.PageRequest) (hyperlocal.Page[reconcile.Decided], error) {
	var page hyperlocal.Page[reconcile.Decided]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"reconcile_lines", tenant, run, outcome}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 1)
	if err != nil || !hyperlocal.ValidID(run) {
		return page, err
	}
	var c conditions
	c.add(reconcileLineHead+` FROM hc_reconcile_lines AS l WHERE l.tenant = %s AND l.run = {pg CAST(}%s{pg  AS uuid)}`, string(tenant), run)
	if outcome != "" {
		c.add(` AND l.outcome = %s`, string(outcome))
	}
	if key != nil {
		after, err := strconv.ParseInt(key[0], 10, 32)
		if err != nil {
			return page, hyperlocal.ErrCursor
		}
		c.add(` AND l.n > %s`, after)
	}
	c.add(` ORDER BY l.n LIMIT %s`, int64(size+1))
	err = o.s.query(ctx, c.text, nil, c.args, func(rows row) error {
		d, _, err := scanReconcileLine(rows)
		page.Items = append(page.Items, d)
		return err
	})
	if err != nil {
		return hyperlocal.Page[reconcile.Decided]{}, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next, err = hyperlocal.EncodeCursor(filter, strconv.Itoa(page.Items[size-1].Line.Number))
	}
	return page, err
}

// byOperation is what rows about operations are looked up by.
func byOperation(tenant hyperlocal.TenantID, operations []string) *rel {
	operations = sortedTexts(slices.DeleteFunc(slices.Clone(operations), func(id string) bool { return !hyperlocal.ValidID(id) }))
	return newRel(len(operations)).text("tenant", repeat(string(tenant), len(operations))).uuid("operation", operations)
}

const reconcileClaims = `SELECT c.tenant, c.operation, c.run, c.line FROM {k} k CROSS JOIN hc_reconcile_claims AS c
 WHERE c.tenant = k.tenant AND c.operation = k.operation`

// Claims implements [reconcile.Reader].
func (o *Reconciliation) Claims(ctx context.Context, tenant hyperlocal.TenantID, operations []string) ([]reconcile.Claim, error) {
	var claims []reconcile.Claim
	err := o.s.query(ctx, reconcileClaims, byOperation(tenant, operations), nil, func(rows row) error {
		var c reconcile.Claim
		err := rows.Scan(&c.Tenant, &c.Operation, &c.Run, &c.Line)
		claims = append(claims, c)
		return err
	})
	return claims, err
}

const differenceHead = `SELECT d.tenant, d.id, d.run, d.source, d.account, d.reason, d.line, d.kind, d.reference, d.operation, d.theirs,
 d.theirs_currency, d.ours, d.ours_currency, d.entries, d.since, d.opened_at, d.resolved_at, d.resolved_kind, d.resolved_by,
 d.resolved_to, d.note`

func scanDifference(rows row, to *[]reconcile.Difference) error {
	var d reconcile.Difference
	var theirs, ours sql.NullInt64
	var theirsCurrency, oursCurrency string
	var entries json.RawMessage
	err := rows.Scan(&d.Tenant, &d.ID, &d.Run, &d.Source, &d.Account, &d.Reason, &d.Line, &d.Kind, &d.Reference,
		nullText[string]{&d.Operation}, &theirs, nullText[string]{&theirsCurrency}, &ours, nullText[string]{&oursCurrency},
		document{&entries}, instant{&d.Since}, instant{&d.OpenedAt}, nullInstant{&d.ResolvedAt}, &d.ResolvedBy.Kind,
		&d.ResolvedBy.ID, &d.ResolvedTo, &d.Note)
	if err != nil {
		return err
	}
	if string(entries) != "[]" {
		var stored []storedEntry
		if err := json.Unmarshal(entries, &stored); err != nil {
			return internal("store/decode", "stored entries cannot be decoded").WithCause(err)
		}
		for _, e := range stored {
			d.Entries = append(d.Entries, hyperlocal.Entry(e))
		}
	}
	var m moneyOf
	if theirs.Valid {
		m.currency = hyperlocal.Currency(theirsCurrency)
		d.Theirs = m.of(theirs.Int64)
	}
	if ours.Valid {
		m.currency = hyperlocal.Currency(oursCurrency)
		d.Ours = m.of(ours.Int64)
	}
	*to = append(*to, d)
	return m.err
}

const missingDifferences = differenceHead + ` FROM {k} k CROSS JOIN hc_reconcile_differences AS d {sqlite INDEXED BY hc_reconcile_differences_missing}
 WHERE d.tenant = k.tenant AND d.operation = k.operation AND d.reason = 'missing_at_provider'`

// Missing implements [reconcile.Reader].
func (o *Reconciliation) Missing(ctx context.Context, tenant hyperlocal.TenantID, operations []string) ([]reconcile.Difference, error) {
	var found []reconcile.Difference
	err := o.s.query(ctx, missingDifferences, byOperation(tenant, operations), nil,
		func(rows row) error { return scanDifference(rows, &found) })
	return found, err
}

// Difference implements [reconcile.DifferenceReader].
func (o *Reconciliation) Difference(ctx context.Context, tenant hyperlocal.TenantID, id string) (reconcile.Difference, bool, error) {
	if !hyperlocal.ValidID(id) {
		return reconcile.Difference{}, false, nil
	}
	var found []reconcile.Difference
	err := o.s.query(ctx, differenceHead+` FROM hc_reconcile_differences AS d WHERE d.tenant = $1 AND d.id = {pg CAST(}$2{pg  AS uuid)}`,
		nil, []any{string(tenant), id}, func(rows row) error { return scanDifference(rows, &found) })
	if err != nil || len(found) == 0 {
		return reconcile.Difference{}, false, err
	}
	return found[0], true, nil
}

// ListDifferences implements [reconcile.DifferenceReader].
func (o *Reconciliation) ListDifferences(ctx context.Context, tenant hyperlocal.TenantID, f reconcile.Filter, p hyperlocal.PageRequest) (hyperlocal.Page[reconcile.Difference], error) {
	var page hyperlocal.Page[reconcile.Difference]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	f.Before = hyperlocal.Instant(f.Before)
	filter := []any{"reconcile_differences", tenant, f}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil || f.Run != "" && !hyperlocal.ValidID(f.Run) {
		return page, err
	}
	var c conditions
	c.add(differenceHead+` FROM hc_reconcile_differences AS d WHERE d.tenant = %s`, string(tenant))
	if f.Run != "" {
		c.add(` AND d.run = {pg CAST(}%s{pg  AS uuid)}`, f.Run)
	}
	for _, part := range []struct{ column, value string }{
		{"source", f.Source}, {"account", f.Account}, {"reason", string(f.Reason)},
	} {
		if part.value != "" {
			c.add(` AND d.`+part.column+` = %s`, part.value)
		}
	}
	if f.Open {
		c.text += ` AND d.resolved_at IS NULL`
	}
	if !f.Before.IsZero() {
		c.add(` AND d.since < %s`, o.s.at(f.Before))
	}
	if key != nil {
		after, err := timeKey(key)
		if err != nil {
			return page, err
		}
		c.add(` AND (d.since, d.id) > (%s, {pg CAST(}%s{pg  AS uuid)})`, o.s.at(after), key[1])
	}
	c.add(` ORDER BY d.since, d.id LIMIT %s`, int64(size+1))
	err = o.s.query(ctx, c.text, nil, c.args, func(rows row) error { return scanDifference(rows, &page.Items) })
	if err != nil {
		return hyperlocal.Page[reconcile.Difference]{}, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := &page.Items[size-1]
		page.Next, err = hyperlocal.EncodeCursor(filter, strconv.FormatInt(last.Since.UnixMicro(), 10), last.ID)
	}
	return page, err
}

const reconcileTotals = `SELECT l.outcome, l.strategy, l.reason, l.currency, count(*), CAST(sum(l.gross) AS bigint),
 CAST(sum(l.fee) AS bigint), CAST(sum(l.net) AS bigint) FROM hc_reconcile_lines AS l
 WHERE l.tenant = $1 AND l.run = {pg CAST(}$2{pg  AS uuid)} GROUP BY l.outcome, l.strategy, l.reason, l.currency
 ORDER BY l.outcome, l.strategy {pg COLLATE "C"}, l.reason, l.currency {pg COLLATE "C"}`

// Totals implements [reconcile.DifferenceReader].
func (o *Reconciliation) Totals(ctx context.Context, tenant hyperlocal.TenantID, run string) ([]reconcile.Total, error) {
	if !hyperlocal.ValidID(run) {
		return nil, nil
	}
	var totals []reconcile.Total
	err := o.s.query(ctx, reconcileTotals, nil, []any{string(tenant), run}, func(rows row) error {
		var t reconcile.Total
		var currency string
		var gross, fee, net int64
		if err := rows.Scan(&t.Outcome, &t.Strategy, &t.Reason, &currency, &t.Lines, &gross, &fee, &net); err != nil {
			return err
		}
		m := moneyOf{currency: hyperlocal.Currency(currency)}
		t.Gross, t.Fee, t.Net = m.of(gross), m.of(fee), m.of(net)
		totals = append(totals, t)
		return m.err
	})
	return totals, err
}

const reconcileAges = `SELECT a.age, a.reason, a.theirs_currency, a.ours_currency, count(*), CAST(sum(a.theirs) AS bigint),
 CAST(sum(a.ours) AS bigint) FROM (
  SELECT CASE WHEN d.since >= $3 THEN 0 WHEN d.since >= $4 THEN 1 WHEN d.since >= $5 THEN 2 ELSE 3 END AS age,
  d.reason, d.theirs, COALESCE(d.theirs_currency, '') AS theirs_currency, d.ours, COALESCE(d.ours_currency, '') AS ours_currency
  FROM hc_reconcile_differences AS d
  WHERE d.tenant = $1 AND d.run = {pg CAST(}$2{pg  AS uuid)} AND d.resolved_at IS NULL
 ) AS a GROUP BY a.age, a.reason, a.theirs_currency, a.ours_currency
 ORDER BY a.age, a.reason, a.theirs_currency {pg COLLATE "C"}, a.ours_currency {pg COLLATE "C"}`

// Ages implements [reconcile.DifferenceReader].
func (o *Reconciliation) Ages(ctx context.Context, tenant hyperlocal.TenantID, run string, bounds [3]time.Time) ([]reconcile.Aged, error) {
	if !hyperlocal.ValidID(run) {
		return nil, nil
	}
	var aged []reconcile.Aged
	args := []any{string(tenant), run, o.s.at(bounds[0]), o.s.at(bounds[1]), o.s.at(bounds[2])}
	err := o.s.query(ctx, reconcileAges, nil, args, func(rows row) error {
		var a reconcile.Aged
		var theirsCurrency, oursCurrency string
		var theirs, ours sql.NullInt64
		err := rows.Scan(&a.Age, &a.Reason, &theirsCurrency, &oursCurrency, &a.Differences, &theirs, &ours)
		if err != nil {
			return err
		}
		var m moneyOf
		if theirs.Valid {
			m.currency = hyperlocal.Currency(theirsCurrency)
			a.Theirs = m.of(theirs.Int64)
		}
		if ours.Valid {
			m.currency = hyperlocal.Currency(oursCurrency)
			a.Ours = m.of(ours.Int64)
		}
		aged = append(aged, a)
		return m.err
	})
	return aged, err
}
