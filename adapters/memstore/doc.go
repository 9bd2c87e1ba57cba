// Package memstore keeps everything in the memory of one process: for tests, examples and
// the smallest embedding. It has no files, no goroutines and nothing to close.
//
//	db := memstore.New()
//	err := db.WithinTx(ctx, func(ctx context.Context) error {
//		return db.Outbox().Append(ctx, envelope)
//	})
//
// A [DB] is a [hyperlocal.TxRunner]; the stores of the contexts hang off it (db.Orders(),
// db.Stock(), ...) and share its transactions, so that whatever is written in one closure
// commits or vanishes together. One transaction runs at a time and holds the database for
// its whole length; readers outside it wait, and see only what was committed.
//
// It never survives the process, and it never talks to anything.
//
// # For authors of stores
//
// A context's file declares a struct of tables and one of stores, and reaches the tables
// through [part]:
//
//	type orderTables struct{ orders *table[orderKey, order.Order] }
//
//	func newOrderTables() *orderTables { return &orderTables{orders: newTable[orderKey, order.Order]()} }
//
//	func (db *DB) Orders() *Orders { return &Orders{db: db, t: part(db, newOrderTables)} }
//
// Methods that change something run inside db.write, methods that only look inside db.read;
// a port that demands a transaction starts with db.must. Values are stored as they are
// given: clone the slices, maps and pointers in them on the way in and on the way out. A
// transaction belongs to one goroutine at a time, like an sql.Tx.
package memstore
