package bunstore

import "github.com/hyperlocal-sdk/hyperlocal/adapters/audit"

func auditPayments(r *auditReader, t *audit.Tables) {
	t.Allocations = stream(r, `SELECT a.tenant, a.intent, a.owner_kind || '/' || a.owner_id, i.currency, a.amount, a.authorized,
 a.captured, a.refunded FROM hc_payment_allocations AS a
 LEFT JOIN hc_payment_intents AS i ON i.tenant = a.tenant AND i.id = a.intent`, func(v *audit.Allocation) []any {
		return []any{
			&v.Tenant, &v.Intent, &v.Owner, nullText[string]{&v.Currency}, &v.Amount, &v.Authorized, &v.Captured, &v.Refunded,
		}
	})
	t.Operations = stream(r, `SELECT tenant, id, intent, owner_kind || '/' || owner_id, verb, gateway, idempotency_key, outcome,
 currency, amount, sent FROM hc_payment_operations`, func(v *audit.Operation) []any {
		return []any{
			&v.ID.Tenant, &v.ID.ID, &v.Intent, &v.Owner, &v.Verb, &v.Gateway, &v.Key, &v.Outcome, &v.Currency, &v.Amount, &v.Sent,
		}
	})
	t.PaymentMovements = stream(r, `SELECT tenant, 'capture', operation, owner_kind || '/' || owner_id, currency, amount
 FROM hc_payment_captures
 UNION ALL SELECT tenant, 'refund', operation, owner_kind || '/' || owner_id, currency, amount FROM hc_payment_refunds`,
		func(v *audit.PaymentMovement) []any {
			return []any{&v.Tenant, &v.Kind, &v.Operation, &v.Owner, &v.Currency, &v.Amount}
		})
	t.SandboxRecords = stream(r, `SELECT tenant, idempotency_key, operation, verb, outcome, currency, amount FROM hc_sandbox_log`,
		func(v *audit.SandboxRecord) []any {
			return []any{&v.Tenant, &v.Key, &v.Operation, &v.Verb, &v.Outcome, &v.Currency, &v.Amount}
		})
}
