// Package bunstore keeps everything in PostgreSQL or SQLite, from one code path.
//
//	store, err := bunstore.Open(ctx, "postgres://shop:secret@localhost/shop") // or "sqlite:shop.db"
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	if err := store.Migrate(ctx); err != nil {
//		return err
//	}
//
// A [Store] is a [hyperlocal.TxRunner]; the stores of the contexts hang off it
// (store.Orders(), store.Stock(), ...) and share its transactions. In a host's own
// transaction they work through [Store.WithTx].
//
// Writes are deferred: inside a transaction they are queued as statements with array
// arguments and sent together, on PostgreSQL as one data-modifying CTE, before the next read
// that could see them and at the latest before the commit. bun builds the queries that are
// not hot.
//
// It holds no business rule, never talks to anything but its database, and never changes
// what a host's connection is set to.
//
// # For authors of stores
//
// A context's file reads and writes through four methods of the Store:
//
//	s.query(ctx, text, rel, args, scan)   a statement whose answer is needed now
//	s.enqueue(ctx, write{...})            a change whose answer is not
//	s.lock(ctx, rank)                     before every locking read
//	s.db(ctx)                             bun's builder, for what is not hot
//
// Texts are written once for both databases (see text.go), rows are sent as relations (see
// rel.go), instants are read into instant and nullInstant, and violated constraints become
// errors of the context by an entry in constraints.go. Its tables come from
// migrations/<dialect>/NNNN_context.sql; each table's primary key leads with the tenant.
package bunstore
