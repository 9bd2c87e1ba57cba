// Package audit checks the invariants that hold across contexts: that levels are the sums of
// their movements, that orders add up, that captured and refunded money is in the books and
// at the gateway, that points are covered, that no order waits for nothing.
//
//	report, err := audit.Run(ctx, store.Audit())
//	if err == nil && report.Violations() > 0 { ... }
//
// It reads one snapshot of the database, never writes, and may run under load: work that is
// pending (an operation under way, an event not yet published) is no violation. It keeps the
// sums of what it has read in memory, some hundred bytes per order.
//
// A host that extends the tables of the order's machines passes its own with [Config].
package audit
