package bunstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

// Reconciliation is the [reconcile.Store] of a database.
type Reconciliation struct{ s *Store }

var (
	_ reconcile.Store   = (*Reconciliation)(nil)
	_ hyperlocal.Scoped = (*Reconciliation)(nil)
)

// Reconciliation returns the store of runs, lines, claims and differences.
func (s *Store) Reconciliation() *Reconciliation { return &Reconciliation{s: s} }

// TxScope implements [hyperlocal.Scoped].
func (o *Reconciliation) TxScope() hyperlocal.Scope { return o.s.TxScope() }

func reconcileConstraints() map[string]*hyperlocal.Error {
	return map[string]*hyperlocal.Error{
		"hc_reconcile_claims(tenant,operation)":      hyperlocal.ErrTxRetry, // run again, the caller finds it
		"hc_reconcile_claims_pkey":                   hyperlocal.ErrTxRetry,
		"hc_reconcile_differences(tenant,operation)": hyperlocal.ErrTxRetry,
		"hc_reconcile_differences_missing":           hyperlocal.ErrTxRetry,
	}
}

const insertReconcileRun = `INSERT INTO hc_reconcile_runs (tenant, id, source, account, digest, size, from_at, until_at, phase,
 lines, place, swept_at, swept, problem, actor_kind, actor_id, created_at, updated_at, finished_at, version)
 SELECT k.tenant, k.id, k.source, k.account, k.digest, k.size, k.from_at, k.until_at, k.phase, k.lines, k.place, k.swept_at,
 k.swept, k.problem, k.actor_kind, k.actor_id, k.created_at, k.updated_at, k.finished_at, k.version FROM {k} k
 WHERE true ON CONFLICT (tenant, source, account, digest) DO NOTHING RETURNING 1`

const reconcileRunHead = `SELECT r.tenant, r.id, r.source, r.account, r.digest, r.size, r.from_at, r.until_at, r.phase, r.lines, r.place,
 r.swept_at, r.swept, r.problem, r.actor_kind, r.actor_id, r.created_at, r.updated_at, r.finished_at, r.version
 FROM hc_reconcile_runs AS r WHERE r.tenant = `

func scanReconcileRun(rows row, to *[]reconcile.Run) error {
	var r reconcile.Run
	err := rows.Scan(&r.Tenant, &r.ID, &r.Source, &r.Account, &r.Digest, &r.Size, nullInstant{&r.From}, nullInstant{&r.Until},
		&r.Phase, &r.Lines, &r.Place, nullInstant{&r.SweptAt}, &r.Swept, &r.Problem, &r.Actor.Kind, &r.Actor.ID,
		instant{&r.CreatedAt}, instant{&r.UpdatedAt}, nullInstant{&r.FinishedAt}, &r.Version)
	*to = append(*to, r)
	return err
}

func reconcileProgress(r reconcile.Run) *rel {
	return newRel(1).text("tenant", []string{string(r.Tenant)}).uuid("id", []string{r.ID}).text("digest", []string{r.Digest}).
		text("phase", []string{string(r.Phase)}).int("lines", []int64{int64(r.Lines)}).int("place", []int64{int64(r.Place)}).
		atNull("swept_at", []time.Time{r.SweptAt}).text("swept", []string{r.Swept}).text("problem", []string{r.Problem}).
		at("updated_at", []time.Time{r.UpdatedAt}).atNull("finished_at", []time.Time{r.FinishedAt}).int("version", []int64{r.Version})
}

// CreateRun implements [reconcile.Store].
func (o *Reconciliation) CreateRun(ctx context.Context, r reconcile.Run) (reconcile.Run, bool, error) {
	if err := o.s.inTx(ctx); err != nil {
		return reconcile.Run{}, false, err
	}
	fresh := false
	err := o.s.query(ctx, insertReconcileRun, reconcileProgress(r).
		text("source", []string{r.Source}).text("account", []string{r.Account}).int("size", []int64{r.Size}).
		atNull("from_at", []time.Time{r.From}).atNull("until_at", []time.Time{r.Until}).
		text("actor_kind", []string{r.Actor.Kind}).text("actor_id", []string{r.Actor.ID}).at("created_at", []time.Time{r.CreatedAt}), nil,
		func(row) error { fresh = true; return nil })
	if err != nil {
		return reconcile.Run{}, false, err
	}
	var found []reconcile.Run
	err = o.s.query(ctx, reconcileRunHead+`$1 AND r.source = $2 AND r.account = $3 AND r.digest = $4`, nil,
		[]any{string(r.Tenant), r.Source, r.Account, r.Digest}, func(rows row) error { return scanReconcileRun(rows, &found) })
	if err == nil && len(found) == 0 { // it was stored by a transaction that this one does not see
		err = hyperlocal.ErrTxRetry.With("run", r.ID)
	}
	if err != nil {
		return reconcile.Run{}, false, err
	}
	return found[0], fresh, nil
}

// The first run of a source and account stands for all of them.
const lockReconcileAccount = `SELECT r.id FROM hc_reconcile_runs AS r
 WHERE (r.tenant, r.id) IN (SELECT f.tenant, f.id FROM hc_reconcile_runs AS f JOIN hc_reconcile_runs AS m
  ON m.tenant = f.tenant AND m.source = f.source AND m.account = f.account
  WHERE m.tenant = $1 AND m.id = {pg CAST(}$2{pg  AS uuid)} ORDER BY f.created_at, f.id LIMIT 1) {for update of r}`

// LockRun implements [reconcile.Store].
func (o *Reconciliation) LockRun(ctx context.Context, tenant hyperlocal.TenantID, id string) (reconcile.Run, bool, error) {
	if err := o.s.lock(ctx, hyperlocal.RankIntent); err != nil {
		return reconcile.Run{}, false, err
	}
	if !hyperlocal.ValidID(id) {
		return reconcile.Run{}, false, nil
	}
	if o.s.dialect == Postgres { // SQLite has one writer
		err := o.s.query(ctx, lockReconcileAccount, nil, []any{string(tenant), id}, func(row) error { return nil })
		if err != nil {
			return reconcile.Run{}, false, err
		}
	}
	return o.Run(ctx, tenant, id) // a statement of its own sees what the lock waited for
}

const saveReconcileRun = `UPDATE hc_reconcile_runs AS r SET digest = k.digest, phase = k.phase, lines = k.lines, place = k.place,
 swept_at = k.swept_at, swept = k.swept, problem = k.problem, updated_at = k.updated_at, finished_at = k.finished_at,
 version = k.version FROM {k} k WHERE r.tenant = k.tenant AND r.id = k.id AND r.version = k.version - 1`

// SaveRun implements [reconcile.Store].
func (o *Reconciliation) SaveRun(ctx context.Context, r reconcile.Run) error {
	return o.s.enqueue(ctx, write{
		table: "hc_reconcile_runs", text: saveReconcileRun, rel: reconcileProgress(r), rows: 1, failed: reconcile.ErrBusy,
	})
}

const insertReconcileLines = `INSERT INTO hc_reconcile_lines (tenant, run, n, line_id, kind, payment, refs, gross, fee, net, currency,
 presented, presented_currency, at, outcome, strategy, reason, set_of)
 SELECT k.tenant, k.run, k.n, k.line_id, k.kind, k.payment, k.refs, k.gross, k.fee, k.net, k.currency, k.presented,
 k.presented_currency, k.at, '', '', '', 0 FROM {k} k`

// AppendLines implements [reconcile.Store].
func (o *Reconciliation) AppendLines(ctx context.Context, tenant hyperlocal.TenantID, run string, lines []reconcile.Line) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	type l = reconcile.Line
	references := make([]json.RawMessage, len(lines))
	for i := range lines {
		references[i] = json.RawMessage("[]")
		if len(lines[i].References) == 0 {
			continue
		}
		b, err := json.Marshal(lines[i].References)
		if err != nil {
			return internal("store/encode", "references cannot be encoded").WithCause(err)
		}
		references[i] = b
	}
	return o.s.enqueue(ctx, write{
		table: "hc_reconcile_lines", text: insertReconcileLines, rows: int64(len(lines)),
		rel: newRel(len(lines)).
			text("tenant", repeat(string(tenant), len(lines))).uuid("run", repeat(run, len(lines))).
			int("n", each1(lines, func(v *l) int64 { return int64(v.Number) })).
			text("line_id", each1(lines, func(v *l) string { return v.ID })).
			text("kind", each1(lines, func(v *l) string { return string(v.Kind) })).
			text("payment", each1(lines, func(v *l) string { return v.Payment })).
			json("refs", references).
			int("gross", each1(lines, func(v *l) int64 { return v.Gross.Amount() })).
			int("fee", each1(lines, func(v *l) int64 { return v.Fee.Amount() })).
			int("net", each1(lines, func(v *l) int64 { return v.Net.Amount() })).
			text("currency", each1(lines, func(v *l) string { return string(v.Gross.Currency()) })).
			intNull("presented", each1(lines, func(v *l) *int64 { return amountOrNull(v.Presented) })).
			textNull("presented_currency", each1(lines, func(v *l) string { return string(v.Presented.Currency()) })).
			at("at", each1(lines, func(v *l) time.Time { return v.At })),
	})
}

const decideReconcileLines = `UPDATE hc_reconcile_lines AS l SET outcome = k.outcome, strategy = k.strategy, reason = k.reason,
 set_of = k.set_of, operation = k.operation FROM {k} k WHERE l.tenant = k.tenant AND l.run = k.run AND l.n = k.n`

// Decide implements [reconcile.Store].
func (o *Reconciliation) Decide(ctx context.Context, tenant hyperlocal.TenantID, run string, verdicts []reconcile.Verdict) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	type v = reconcile.Verdict
	return o.s.enqueue(ctx, write{
		table: "hc_reconcile_lines", text: decideReconcileLines, rows: int64(len(verdicts)),
		rel: newRel(len(verdicts)).
			text("tenant", repeat(string(tenant), len(verdicts))).uuid("run", repeat(run, len(verdicts))).
			int("n", each1(verdicts, func(d *v) int64 { return int64(d.Number) })).
			text("outcome", each1(verdicts, func(d *v) string { return string(d.Outcome) })).
			text("strategy", each1(verdicts, func(d *v) string { return string(d.Strategy) })).
			text("reason", each1(verdicts, func(d *v) string { return string(d.Reason) })).
			int("set_of", each1(verdicts, func(d *v) int64 { return int64(d.Set) })).
			uuidNull("operation", each1(verdicts, func(d *v) string { return d.Operation })),
	})
}

const insertReconcileClaims = `INSERT INTO hc_reconcile_claims (tenant, operation, run, line)
 SELECT k.tenant, k.operation, k.run, k.line FROM {k} k`

// Claim implements [reconcile.Store].
func (o *Reconciliation) Claim(ctx context.Context, claims []reconcile.Claim) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	type c = reconcile.Claim
	return o.s.enqueue(ctx, write{
		table: "hc_reconcile_claims", text: insertReconcileClaims, rows: int64(len(claims)),
		rel: newRel(len(claims)).
			text("tenant", each1(claims, func(v *c) string { return string(v.Tenant) })).
			uuid("operation", each1(claims, func(v *c) string { return v.Operation })).
			uuid("run", each1(claims, func(v *c) string { return v.Run })).
			int("line", each1(claims, func(v *c) int64 { return int64(v.Line) })),
	})
}

const insertDifferences = `INSERT INTO hc_reconcile_differences (tenant, id, run, source, account, reason, line, kind, reference,
 operation, theirs, theirs_currency, ours, ours_currency, entries, since, opened_at, resolved_at, resolved_kind, resolved_by,
 resolved_to, note)
 SELECT k.tenant, k.id, k.run, k.source, k.account, k.reason, k.line, k.kind, k.reference, k.operation, k.theirs,
 k.theirs_currency, k.ours, k.ours_currency, k.entries, k.since, k.opened_at, k.resolved_at, k.resolved_kind, k.resolved_by,
 k.resolved_to, k.note FROM {k} k`

// storedEntry is an entry as it stands in a difference.
type storedEntry struct {
	Account string `json:"account"`
	Asset   string `json:"asset"`
	Amount  int64  `json:"amount"`
}

func storedEntries(entries []hyperlocal.Entry) []storedEntry {
	out := make([]storedEntry, len(entries))
	for i, e := range entries {
		out[i] = storedEntry(e)
	}
	return out
}

// Suspend implements [reconcile.Store].
func (o *Reconciliation) Suspend(ctx context.Context, differences []reconcile.Difference) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	type d = reconcile.Difference
	entries := make([]json.RawMessage, len(differences))
	for i := range differences {
		entries[i] = json.RawMessage("[]")
		if len(differences[i].Entries) == 0 {
			continue
		}
		b, err := json.Marshal(storedEntries(differences[i].Entries))
		if err != nil {
			return internal("store/encode", "entries cannot be encoded").WithCause(err)
		}
		entries[i] = b
	}
	return o.s.enqueue(ctx, write{
		table: "hc_reconcile_differences", text: insertDifferences, rows: int64(len(differences)),
		rel: resolutionRel(differences).
			uuid("run", each1(differences, func(v *d) string { return v.Run })).
			text("source", each1(differences, func(v *d) string { return v.Source })).
			text("account", each1(differences, func(v *d) string { return v.Account })).
			text("reason", each1(differences, func(v *d) string { return string(v.Reason) })).
			int("line", each1(differences, func(v *d) int64 { return int64(v.Line) })).
			text("kind", each1(differences, func(v *d) string { return string(v.Kind) })).
			text("reference", each1(differences, func(v *d) string { return v.Reference })).
			uuidNull("operation", each1(differences, func(v *d) string { return v.Operation })).
			intNull("theirs", each1(differences, func(v *d) *int64 { return amountOrNull(v.Theirs) })).
			textNull("theirs_currency", each1(differences, func(v *d) string { return string(v.Theirs.Currency()) })).
			intNull("ours", each1(differences, func(v *d) *int64 { return amountOrNull(v.Ours) })).
			textNull("ours_currency", each1(differences, func(v *d) string { return string(v.Ours.Currency()) })).
			json("entries", entries).
			at("since", each1(differences, func(v *d) time.Time { return v.Since })).
			at("opened_at", each1(differences, func(v *d) time.Time { return v.OpenedAt })),
	})
}

// resolutionRel holds the key and what may change.
func resolutionRel(differences []reconcile.Difference) *rel {
	type d = reconcile.Difference
	return newRel(len(differences)).
		text("tenant", each1(differences, func(v *d) string { return string(v.Tenant) })).
		uuid("id", each1(differences, func(v *d) string { return v.ID })).
		atNull("resolved_at", each1(differences, func(v *d) time.Time { return v.ResolvedAt })).
		text("resolved_kind", each1(differences, func(v *d) string { return v.ResolvedBy.Kind })).
		text("resolved_by", each1(differences, func(v *d) string { return v.ResolvedBy.ID })).
		text("resolved_to", each1(differences, func(v *d) string { return v.ResolvedTo })).
		text("note", each1(differences, func(v *d) string { return v.Note }))
}

const settleDifferences = `UPDATE hc_reconcile_differences AS d SET resolved_at = k.resolved_at, resolved_kind = k.resolved_kind,
 resolved_by = k.resolved_by, resolved_to = k.resolved_to, note = k.note
 FROM {k} k WHERE d.tenant = k.tenant AND d.id = k.id AND d.resolved_at IS NULL`

// Settle implements [reconcile.Store].
func (o *Reconciliation) Settle(ctx context.Context, differences []reconcile.Difference) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	return o.s.enqueue(ctx, write{
		table: "hc_reconcile_differences", text: settleDifferences, rel: resolutionRel(differences),
		rows: int64(len(differences)), failed: reconcile.ErrResolved,
	})
}
