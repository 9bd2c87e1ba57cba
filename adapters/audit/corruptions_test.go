package audit_test

import "github.com/hyperlocal-sdk/hyperlocal/adapters/audit"

// corruption is one way to damage a database, written so that as little as possible breaks.
type corruption struct {
	breaks string // the invariant that has to be reported, once
	name   string
	do     string   // SQL with {names} of the world
	key    string   // what the sample has to name, besides the tenant
	also   []string // what cannot but break with it
}

func corruptions() []corruption {
	const (
		ofOrder   = ` WHERE tenant = 'acme' AND order_id = `
		theOrder  = ` WHERE tenant = 'acme' AND id = `
		thePosted = ` WHERE tenant = 'acme' AND reference = `
	)
	return []corruption{
		{
			breaks: audit.StockLevelIsSum, name: "level", key: "{item}",
			do: `UPDATE hc_stock_levels SET on_hand = on_hand + 1 WHERE tenant = 'acme'`,
		},
		{
			breaks: audit.StockLevelIsSum, name: "movement lost", key: "{item}",
			do: `DELETE FROM hc_stock_movements WHERE tenant = 'acme' AND owner_id = '{open}'`,
		},
		{
			breaks: audit.StockReservedIsOpen, name: "reservation lost", key: "{item}",
			do: `DELETE FROM hc_stock_reservations WHERE tenant = 'acme' AND owner_id = '{open}'`,
		},
		{
			breaks: audit.StockNotNegative, name: "sold too much", key: "{item}",
			do: `UPDATE hc_stock_levels SET on_hand = on_hand - 1000 WHERE tenant = 'acme';
 UPDATE hc_stock_movements SET on_hand = on_hand - 1000 WHERE tenant = 'acme' AND on_hand = 500`,
		},
		{
			breaks: audit.OrderAddsUp, name: "total", key: "{paid}",
			do: `UPDATE hc_orders SET total = total + 1` + theOrder + `'{paid}'`,
		},
		{
			breaks: audit.OrderAddsUp, name: "total of lines", key: "{open}",
			do: `UPDATE hc_orders SET lines_total = lines_total - 1` + theOrder + `'{open}'`,
		},
		{
			breaks: audit.OrderAddsUp, name: "adjustment", key: "{open}",
			do: `UPDATE hc_order_adjustments SET amount = amount + 1` + ofOrder + `'{open}' AND kind = 'discount'`,
		},
		{
			breaks: audit.OrderLineAddsUp, name: "price", key: "{paid}",
			do: `UPDATE hc_order_lines SET unit_price = unit_price + 1` + ofOrder + `'{paid}'`,
		},
		{
			breaks: audit.OrderLineAddsUp, name: "returned too much", key: "{paid}",
			do: `UPDATE hc_order_lines SET returned = quantity + 1` + ofOrder + `'{paid}'`,
		},
		{
			breaks: audit.OrderNotOvercaptured, name: "cheaper than what was taken", key: "{paid}",
			do: `UPDATE hc_order_lines SET unit_price = unit_price - 1, amount = amount - 2` + ofOrder + `'{paid}';
 UPDATE hc_orders SET lines_total = lines_total - 2, total = total - 2` + theOrder + `'{paid}'`,
		},
		{
			breaks: audit.OrderNotOverrefunded, name: "more than was taken", key: "{refunded}",
			do: `UPDATE hc_orders SET refunded = 701` + theOrder + `'{refunded}';
 UPDATE hc_refunds SET amount = 701` + theOrder + `'{refund}';
 UPDATE hc_credits SET total = 821` + theOrder + `'{credit}'`,
			also: []string{audit.OrderMoneyIsPayments}, // which know what was really given back
		},
		{
			breaks: audit.OrderMoneyIsPayments, name: "order", key: "{paid}",
			do: `UPDATE hc_orders SET captured = captured - 1` + theOrder + `'{paid}'`,
		},
		{
			breaks: audit.OrderMoneyIsPayments, name: "allocation", key: "{paid}",
			do: `UPDATE hc_payment_allocations SET captured = captured - 1 WHERE tenant = 'acme' AND owner_id = '{paid}'`,
		},
		{
			breaks: audit.MoneyIsJournal, name: "never posted", key: "capture/{op-paid}",
			do: `UPDATE hc_ledger_transactions SET reference = 'gone'` + thePosted + `'capture/{op-paid}'`,
		},
		{
			breaks: audit.MoneyIsJournal, name: "posted without a payment", key: "capture/nothing",
			do: `UPDATE hc_ledger_transactions SET reference = 'capture/nothing' WHERE tenant = 'acme' AND id = '{points}'`,
		},
		{
			breaks: audit.MoneyIsJournal, name: "another amount", key: "capture/{op-paid}",
			do: `INSERT INTO hc_ledger_tail (tenant, account, asset, id, amount) SELECT tenant, account, asset, '{fresh}', amount
 FROM hc_ledger_entries WHERE tenant = 'acme' AND transaction_id = '{posting}';
 UPDATE hc_ledger_entries SET amount = amount * 2 WHERE tenant = 'acme' AND transaction_id = '{posting}'`,
		},
		{
			breaks: audit.RefundsAreOperations, name: "amount", key: "{refunded}",
			do: `UPDATE hc_refunds SET amount = amount + 1` + theOrder + `'{refund}';
 UPDATE hc_credits SET total = total + 1` + theOrder + `'{credit}'`,
		},
		{
			breaks: audit.RefundsAreOperations, name: "currency", key: "{refund}",
			do: `UPDATE hc_refunds SET currency = 'EUR'` + theOrder + `'{refund}'`,
		},
		{
			breaks: audit.RefundsAreOperations, name: "given back past the order", key: "{past}",
			do:   `UPDATE hc_orders SET refunded = refunded + 1` + theOrder + `'{past}'`,
			also: []string{audit.OrderMoneyIsPayments},
		},
		{
			breaks: audit.CreditNotesAreJournal, name: "never posted", key: "{credit}",
			do: `UPDATE hc_ledger_transactions SET reference = 'gone'` + thePosted + `'credit_note/{credit}'`,
		},
		{
			breaks: audit.CreditAddsUp, name: "total", key: "{credit}",
			do: `UPDATE hc_credits SET total = total + 1` + theOrder + `'{credit}'`,
		},
		{
			breaks: audit.JournalBalanced, name: "one sum off", key: "{posting}",
			do: `INSERT INTO hc_ledger_tail (tenant, account, asset, id, amount) SELECT tenant, account, asset, '{fresh}', -1
 FROM hc_ledger_entries WHERE tenant = 'acme' AND transaction_id = '{posting}' AND amount < 0;
 UPDATE hc_ledger_entries SET amount = amount - 1 WHERE tenant = 'acme' AND transaction_id = '{posting}' AND amount < 0`,
		},
		{
			breaks: audit.JournalBalanced, name: "no entries", key: "{fresh}",
			do: `INSERT INTO hc_ledger_transactions (tenant, effective_at, id, reference, kind, subject_kind, subject_id, reverses,
 actor_kind, actor_id, recorded_at, fingerprint) SELECT tenant, effective_at, '{fresh}', 'empty', kind, subject_kind, subject_id,
 reverses, actor_kind, actor_id, recorded_at, fingerprint FROM hc_ledger_transactions WHERE tenant = 'acme' AND id = '{posting}'`,
		},
		{
			breaks: audit.BalanceIsEntries, name: "tail", key: "clearing/sandbox",
			do: `INSERT INTO hc_ledger_tail (tenant, account, asset, id, amount) VALUES ('acme', 'clearing/sandbox', 'GBP', '{fresh}', 1)`,
		},
		{
			breaks: audit.BalanceIsEntries, name: "bounded account", key: "points/customer/ann",
			do: `UPDATE hc_ledger_balances SET balance = balance + 1 WHERE tenant = 'acme' AND account = 'points/customer/ann'`,
		},
		{
			breaks: audit.PointsAreLots, name: "not in the books", key: "points/customer/ann",
			do: `UPDATE hc_loyalty_lots SET remaining = remaining + 1` + theOrder + `'{lot}';
 UPDATE hc_loyalty_movements SET points = points + 1 WHERE tenant = 'acme' AND lot = '{lot}' AND points > 0`,
		},
		{
			breaks: audit.LotIsMovements, name: "movement", key: "{lot}",
			do: `UPDATE hc_loyalty_movements SET points = points + 1 WHERE tenant = 'acme' AND lot = '{lot}' AND points > 0`,
		},
		{
			breaks: audit.HistoryLegal, name: "state", key: "{held}",
			do: `UPDATE hc_orders SET state = 'preparing'` + theOrder + `'{held}'`,
		},
		{
			breaks: audit.HistoryLegal, name: "trigger", key: "{held}",
			do: `UPDATE hc_order_history SET trigger = 'cancel'` + ofOrder + `'{held}' AND machine = 'state' AND to_state = 'accepted'`,
		},
		{
			breaks: audit.HistoryLegal, name: "version", key: "{later}",
			do: `UPDATE hc_orders SET version = version - 1` + theOrder + `'{later}'`,
		},
		{
			breaks: audit.HistoryLegal, name: "payment without a history", key: "{open}",
			do: `UPDATE hc_orders SET payment_status = 'paid'` + theOrder + `'{open}'`,
		},
		{
			breaks: audit.HistoryLegal, name: "payment that begins in the middle", key: "{paid}",
			do: `DELETE FROM hc_order_history` + ofOrder + `'{paid}' AND machine = 'payment' AND trigger = 'begin'`,
		},
		{
			breaks: audit.HistoryLegal, name: "refund", key: "{refund}",
			do:   `UPDATE hc_refunds SET state = 'failed'` + theOrder + `'{refund}'`,
			also: []string{audit.RefundsAreOperations},
		},
		{
			breaks: audit.HistoryLegal, name: "refund without a history", key: "{refund}",
			do: `DELETE FROM hc_order_history` + ofOrder + `'{refunded}' AND machine = 'refund/{refund}'`,
		},
		{
			breaks: audit.HasNextAction, name: "no time", key: "{held}",
			do: `UPDATE hc_orders SET next_action_at = NULL` + theOrder + `'{held}'`,
		},
		{
			breaks: audit.HasNextAction, name: "no action", key: "{held}",
			do: `UPDATE hc_orders SET next_action = ''` + theOrder + `'{held}'`,
		},
		{
			breaks: audit.HasNextAction, name: "held for what is completed", key: "{paid}",
			do:   `UPDATE hc_orders SET authorized = 1, payment_status = 'authorized'` + theOrder + `'{paid}'`,
			also: []string{audit.HistoryLegal},
		},
		{
			breaks: audit.SandboxIsAttempts, name: "another amount", key: "{op-paid}",
			do: `UPDATE hc_sandbox_log SET amount = amount - 1 WHERE tenant = 'acme' AND operation = '{op-paid}'`,
		},
		{
			breaks: audit.SandboxIsAttempts, name: "never done", key: "{op-paid}",
			do: `DELETE FROM hc_sandbox_log WHERE tenant = 'acme' AND operation = '{op-paid}'`,
		},
		{
			breaks: audit.SandboxIsAttempts, name: "not declined", key: "{op-declined}",
			do: `UPDATE hc_sandbox_log SET outcome = 'succeeded' WHERE tenant = 'acme' AND operation = '{op-declined}'`,
		},
		{
			breaks: audit.ChargedOnce, name: "one operation twice", key: "{op-refund}",
			do: sandboxAgain + ` '{op-refund}'` + fromSandbox + `'{op-refund}'`,
		},
		{
			breaks: audit.ChargedOnce, name: "two operations", key: "{intent}",
			do: `INSERT INTO hc_payment_operations (` + operation + `, id, reference, idempotency_key) SELECT ` + operation + `, '{fresh}', 'again', 'again'
 FROM hc_payment_operations` + theOrder + `'{op-paid}'; ` + sandboxAgain + ` '{fresh}'` + fromSandbox + `'{op-paid}'`,
		},
		{
			breaks: audit.NoOrphans, name: "contact", key: "{fresh}",
			do: `UPDATE hc_order_contacts SET order_id = '{fresh}'` + ofOrder + `'{open}'`,
		},
		{
			breaks: audit.NoOrphans, name: "reservation of an order that is over", key: "{dropped}",
			do: `UPDATE hc_stock_reservations SET owner_id = '{dropped}' WHERE tenant = 'acme' AND owner_id = '{open}'`,
		},
		{
			breaks: audit.NoCrossTenant, name: "contact", key: "{foreign}",
			do: `UPDATE hc_order_contacts SET order_id = '{foreign}'` + ofOrder + `'{open}'`,
		},
		{
			breaks: audit.NoCrossTenant, name: "reservation", key: "{foreign-open}",
			do: `UPDATE hc_stock_reservations SET owner_id = '{foreign-open}' WHERE tenant = 'acme' AND owner_id = '{open}'`,
		},
		{
			breaks: audit.EventsInOrder, name: "overtaken", key: "{paid}",
			do: `UPDATE hc_outbox SET published_at = occurred_at WHERE tenant = 'acme' AND aggregate_id = '{paid}' AND aggregate_version = 3`,
		},
	}
}

// All columns but those that tell a copy from its original.
const (
	operation = `tenant, intent, owner_kind, owner_id, shares, verb, amount, currency, gateway, method, attempt, outcome, sent,
 payment, provider, class, code, retry_after, action, fee, fee_currency, next_at, lookups, attention, actor_kind, actor_id, at,
 created_at, begun_at, updated_at, version`
	record = `tenant, intent, attempt, verb, amount, currency, method, payment, provider, outcome, class, code, fee, fee_currency,
 ready_at, at`
	sandboxAgain = `INSERT INTO hc_sandbox_log (` + record + `, idempotency_key, operation) SELECT ` + record + `, 'again',`
	fromSandbox  = ` FROM hc_sandbox_log WHERE tenant = 'acme' AND operation = `
)
