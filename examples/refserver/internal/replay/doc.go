// Package replay runs a file of real trade through the whole pipeline: stock is received,
// every document is placed, paid, accepted, made ready, delivered and completed, what was
// returned is refunded, and points follow by events.
//
// It is repeatable: orders and credits carry the number of their document as external
// reference, movements the document and row, opening receipts the digest of the file and the
// code. A second run over the same database adds nothing; a run that was killed goes on
// where it stopped; what is there with other content, or has ended without being completed, is
// reported as a conflict, and everything else goes on.
//
// Every figure of the report is read from the database when nothing is left to do.
package replay
