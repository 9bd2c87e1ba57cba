package bunstore

import (
	"context"
	"database/sql"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const movedHead = `SELECT o.id, o.intent, o.verb, o.amount, o.currency, o.fee, o.fee_currency, o.idempotency_key, o.provider, o.at`

// The words are those of the indexes' conditions, so that these are used.
const movedOnly = ` AND o.outcome = 'succeeded' AND o.verb IN ('charge', 'capture', 'refund')`

const movedByKey = movedHead + ` FROM {k} k CROSS JOIN hc_payment_operations AS o
 WHERE o.tenant = k.tenant AND o.gateway = k.gateway AND o.idempotency_key = k.reference` + movedOnly

const movedByProvider = movedHead + ` FROM {k} k CROSS JOIN hc_payment_operations AS o {sqlite INDEXED BY hc_payment_operations_provider}
 WHERE o.tenant = k.tenant AND o.gateway = k.gateway AND o.provider = k.reference AND o.provider <> ''` + movedOnly

const movedByIntent = movedHead + ` FROM {k} k CROSS JOIN hc_payment_operations AS o {sqlite INDEXED BY hc_payment_operations_intent}
 WHERE o.tenant = k.tenant AND o.intent = k.reference AND o.gateway = k.gateway` + movedOnly

var _ payment.MovedReader = (*Payments)(nil)

// MovedByReference implements [payment.MovedReader]: two statements, three if ids are among
// the references.
func (o *Payments) MovedByReference(ctx context.Context, tenant hyperlocal.TenantID, gateway string, references ...string) ([]payment.Moved, error) {
	if len(references) > payment.MaxMoved {
		return nil, hyperlocal.Invalid("payment", "references", "at most 10000 references are looked up at once")
	}
	references = slices.Clone(references)
	slices.Sort(references)
	references = slices.Compact(references)
	ids := slices.DeleteFunc(slices.Clone(references), func(r string) bool { return !hyperlocal.ValidID(r) })
	keys := func(n int) *rel {
		return newRel(n).text("tenant", repeat(string(tenant), n)).text("gateway", repeat(gateway, n))
	}
	var found []payment.Moved
	seen := make(map[string]bool)
	for _, part := range []struct {
		text string
		rel  *rel
	}{
		{movedByKey, keys(len(references)).text("reference", references)},
		{movedByProvider, keys(len(references)).text("reference", references)},
		{movedByIntent, keys(len(ids)).uuid("reference", ids)},
	} {
		err := o.s.query(ctx, part.text, part.rel, nil, func(rows row) error {
			m, err := scanMoved(rows, tenant, gateway)
			if err == nil && !seen[m.Operation] {
				seen[m.Operation] = true
				found = append(found, m)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func scanMoved(rows row, tenant hyperlocal.TenantID, gateway string) (payment.Moved, error) {
	m := payment.Moved{Tenant: tenant, Gateway: gateway}
	var verb hyperlocal.PaymentVerb
	var amount int64
	var fee sql.NullInt64
	var currency, feeCurrency string
	err := rows.Scan(&m.Operation, &m.Intent, &verb, &amount, &currency, &fee, nullText[string]{&feeCurrency}, &m.Key,
		&m.Provider, instant{&m.At})
	if err != nil {
		return m, err
	}
	m.Kind = payment.MovedCapture
	if verb == hyperlocal.VerbRefund {
		m.Kind = payment.MovedRefund
	}
	of := moneyOf{currency: hyperlocal.Currency(currency)}
	m.Amount = of.of(amount)
	if fee.Valid {
		of.currency = hyperlocal.Currency(feeCurrency)
		m.Fee = of.of(fee.Int64)
	}
	return m, of.err
}

// MovedBetween implements [payment.MovedReader] in one statement.
func (o *Payments) MovedBetween(ctx context.Context, r payment.MovedRange, limit int) ([]payment.Moved, error) {
	if limit < 1 || limit > payment.MaxMoved {
		return nil, hyperlocal.Invalid("payment", "limit", "a page has 1 to 10000 rows")
	}
	if r.AfterOperation != "" && !hyperlocal.ValidID(r.AfterOperation) {
		return nil, hyperlocal.Invalid("payment", "after_operation", "give the id of an operation, or none")
	}
	var c conditions
	c.add(movedHead+` FROM hc_payment_operations AS o {sqlite INDEXED BY hc_payment_operations_moved}
 WHERE o.tenant = %s AND o.gateway = %s AND o.at >= %s AND o.at < %s`+movedOnly, string(r.Tenant), r.Gateway, o.s.at(r.From), o.s.at(r.Until))
	if r.AfterOperation != "" {
		c.add(` AND (o.at, o.id) > (%s, {pg CAST(}%s{pg  AS uuid)})`, o.s.at(r.AfterAt), r.AfterOperation)
	}
	c.add(` ORDER BY o.at, o.id LIMIT %s`, int64(limit))
	var found []payment.Moved
	err := o.s.query(ctx, c.text, nil, c.args, func(rows row) error {
		m, err := scanMoved(rows, r.Tenant, r.Gateway)
		found = append(found, m)
		return err
	})
	return found, err
}
