package bunstore

import "github.com/hyperlocal-sdk/hyperlocal"

// constraints lists, context by context, which error a violated constraint means. Each
// context's file adds one line. A key is either of
//
//	hc_orders_number_key        the name of the constraint or unique index; on SQLite the
//	                            name of a CHECK constraint, or the message of a trigger
//	hc_orders(tenant,number)    table and columns of a unique constraint, on both databases
//
// The second form is enough for unique constraints and indexes on plain columns.
func constraints() []map[string]*hyperlocal.Error {
	return []map[string]*hyperlocal.Error{
		coreConstraints(),
		ledgerConstraints(),
		loyaltyConstraints(),
		catalogConstraints(),
		communityConstraints(),
		orderConstraints(),
		paymentConstraints(),
		reconcileConstraints(),
		sandboxConstraints(),
		stockConstraints(),
	}
}
