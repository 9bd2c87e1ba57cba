package bunstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
)

// SandboxLog keeps the charge log of the sandbox gateway in the database, in transactions of
// its own: it stands for a provider, who knows nothing of ours.
type SandboxLog struct{ s *Store }

var _ sandbox.Log = (*SandboxLog)(nil)

// SandboxLog returns the charge log of the sandbox gateway.
func (s *Store) SandboxLog() *SandboxLog { return &SandboxLog{s: s} }

func sandboxConstraints() map[string]*hyperlocal.Error {
	return map[string]*hyperlocal.Error{
		"hc_sandbox_log(tenant,idempotency_key)": hyperlocal.ErrTxRetry, // run again, the twin's record is found
	}
}

const sandboxHead = `l.tenant, l.idempotency_key, l.intent, l.operation, l.attempt, l.verb, l.amount, l.currency, l.method,
 l.payment, l.provider, l.outcome, l.class, l.code, l.fee, l.fee_currency, l.ready_at, l.at`

func scanRecord(rows row, to *[]sandbox.Record) error {
	var v sandbox.Record
	var amount int64
	var fee sql.NullInt64
	var currency, feeCurrency string
	err := rows.Scan(&v.Tenant, &v.Key, &v.Intent, &v.Operation, &v.Attempt, &v.Verb, &amount, &currency, &v.Method, &v.Payment,
		&v.Provider, &v.Outcome, &v.Class, &v.Code, &fee, nullText[string]{&feeCurrency}, nullInstant{&v.ReadyAt}, instant{&v.At})
	if err != nil {
		return err
	}
	m := moneyOf{currency: hyperlocal.Currency(currency)}
	v.Amount = m.of(amount)
	if fee.Valid {
		m.currency = hyperlocal.Currency(feeCurrency)
		v.Fee = m.of(fee.Int64)
	}
	*to = append(*to, v)
	return m.err
}

const sandboxByKey = `SELECT ` + sandboxHead + ` FROM hc_sandbox_log AS l WHERE l.tenant = $1 AND l.idempotency_key = $2`

const sandboxOfIntent = `SELECT ` + sandboxHead + ` FROM hc_sandbox_log AS l WHERE l.tenant = $1 AND l.intent = $2
 ORDER BY l.at, l.idempotency_key`

const sandboxOfTenant = `SELECT ` + sandboxHead + ` FROM hc_sandbox_log AS l WHERE l.tenant = $1
 ORDER BY l.at, l.idempotency_key`

const sandboxAppend = `INSERT INTO hc_sandbox_log (tenant, idempotency_key, intent, operation, attempt, verb, amount, currency,
 method, payment, provider, outcome, class, code, fee, fee_currency, ready_at, at)
 SELECT k.tenant, k.idempotency_key, k.intent, k.operation, k.attempt, k.verb, k.amount, k.currency, k.method, k.payment,
 k.provider, k.outcome, k.class, k.code, k.fee, k.fee_currency, k.ready_at, k.at FROM {k} k`

const sandboxChange = `UPDATE hc_sandbox_log AS l SET outcome = k.outcome, class = k.class, code = k.code, fee = k.fee,
 fee_currency = k.fee_currency FROM {k} k WHERE l.tenant = k.tenant AND l.idempotency_key = k.idempotency_key`

func (o *SandboxLog) read(ctx context.Context, text string, args ...any) ([]sandbox.Record, error) {
	var found []sandbox.Record
	err := o.s.query(ctx, text, nil, args, func(rows row) error { return scanRecord(rows, &found) })
	return found, err
}

// Append implements [sandbox.Log].
func (o *SandboxLog) Append(ctx context.Context, tenant hyperlocal.TenantID, intent, key string,
	decide func(past []sandbox.Record) (sandbox.Record, error),
) (r sandbox.Record, fresh bool, err error) {
	if hyperlocal.InTx(ctx) {
		return sandbox.Record{}, false, hyperlocal.ErrNetworkInTx
	}
	err = o.s.WithinTx(ctx, func(ctx context.Context) error {
		fresh = false
		// What was appended while the lock was waited for shows only in a later statement.
		if _, err := o.read(ctx, sandboxOfIntent+` {for update of l}`, string(tenant), intent); err != nil {
			return err
		}
		past, err := o.read(ctx, sandboxOfIntent, string(tenant), intent)
		if err != nil {
			return err
		}
		known, err := o.read(ctx, sandboxByKey, string(tenant), key)
		if err != nil {
			return err
		}
		if len(known) > 0 {
			r = known[0]
			return nil
		}
		if r, err = decide(past); err != nil {
			return err
		}
		fresh = true
		return o.s.enqueue(ctx, write{table: "hc_sandbox_log", text: sandboxAppend, rows: 1, rel: sandboxState(r).
			text("intent", []string{r.Intent}).text("operation", []string{r.Operation}).int("attempt", []int64{int64(r.Attempt)}).
			text("verb", []string{string(r.Verb)}).int("amount", []int64{r.Amount.Amount()}).
			text("currency", []string{string(r.Amount.Currency())}).text("method", []string{r.Method}).
			text("payment", []string{r.Payment}).text("provider", []string{r.Provider}).
			atNull("ready_at", []time.Time{r.ReadyAt}).at("at", []time.Time{r.At})})
	})
	if err != nil {
		return sandbox.Record{}, false, err
	}
	return r, fresh, nil
}

func sandboxState(r sandbox.Record) *rel {
	return newRel(1).text("tenant", []string{string(r.Tenant)}).text("idempotency_key", []string{r.Key}).
		text("outcome", []string{string(r.Outcome)}).text("class", []string{string(r.Class)}).text("code", []string{r.Code}).
		intNull("fee", []*int64{amountOrNull(r.Fee)}).textNull("fee_currency", []string{string(r.Fee.Currency())})
}

// Change implements [sandbox.Log].
func (o *SandboxLog) Change(ctx context.Context, tenant hyperlocal.TenantID, key string,
	change func(sandbox.Record) (sandbox.Record, error),
) (r sandbox.Record, ok bool, err error) {
	if hyperlocal.InTx(ctx) {
		return sandbox.Record{}, false, hyperlocal.ErrNetworkInTx
	}
	err = o.s.WithinTx(ctx, func(ctx context.Context) error {
		ok = false
		known, err := o.read(ctx, sandboxByKey+` {for update of l}`, string(tenant), key)
		if err != nil || len(known) == 0 {
			return err
		}
		now, err := change(known[0])
		if err != nil {
			return err
		}
		r, ok = known[0], true
		r.Outcome, r.Class, r.Code, r.Fee = now.Outcome, now.Class, now.Code, now.Fee
		return o.s.enqueue(ctx, write{table: "hc_sandbox_log", text: sandboxChange, rows: 1, rel: sandboxState(r)})
	})
	if err != nil {
		return sandbox.Record{}, false, err
	}
	return r, ok, nil
}

// Find implements [sandbox.Log].
func (o *SandboxLog) Find(ctx context.Context, tenant hyperlocal.TenantID, key string) (sandbox.Record, bool, error) {
	found, err := o.read(ctx, sandboxByKey, string(tenant), key)
	if err != nil || len(found) == 0 {
		return sandbox.Record{}, false, err
	}
	return found[0], true, nil
}

// Records implements [sandbox.Log].
func (o *SandboxLog) Records(ctx context.Context, tenant hyperlocal.TenantID, intent string) ([]sandbox.Record, error) {
	if intent == "" {
		return o.read(ctx, sandboxOfTenant, string(tenant))
	}
	return o.read(ctx, sandboxOfIntent, string(tenant), intent)
}
