// Package ledger is the journal of a tenant: double entry, several assets in one posting,
// never changed after it was written.
//
// Whoever moves value calls it with a [hyperlocal.Posting], in the transaction of the fact
// that causes it: the payment context for captures, refunds and fees, the order context for
// credit notes, loyalty for points. [Service] satisfies their journal ports by structure.
//
//	db := memstore.New()
//	books, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db})
//	...
//	err = books.Post(ctx, hyperlocal.Posting{
//		Tenant: "acme", Reference: "capture/1", Kind: "capture", Actor: hyperlocal.System("payment"),
//		Entries: []hyperlocal.Entry{
//			hyperlocal.Debit("clearing/sandbox", amount),
//			hyperlocal.Credit("sales/m1", amount),
//		},
//	})
//
// # What holds
//
// The entries of a posting sum to zero per asset, at every observable moment. A reference is
// written once per tenant: posting it again with equal content does nothing, with other
// content it is refused. A mistake is corrected by a posting that reverses it, see
// [Service.Reverse]; the database itself refuses to update or delete what was posted. Every
// posting has two times: when it happened (effective, the caller's) and when it was written
// (recorded, the clock's), and balances can be read as of both.
//
// # Two sorts of accounts
//
// Accounts need no declaration. Most are unbounded: posting to them takes no lock, because it
// adds a row to the account's tail and changes nothing that others change too. [Service.Fold]
// moves tails into the account's snapshot from time to time; a balance is snapshot plus tail,
// read in one statement, so it is exact however much is folded. A busy clearing account
// therefore costs nothing.
//
// Accounts that match a [Bound] may not fall below a minimum. Their balance row is locked in
// the transaction, checked, and updated once per batch. A caller that locks more rows
// afterwards takes these locks first with [Service.LockAccounts] and posts later.
//
// With Config.Intake, single postings of concurrent callers are committed together: see
// [Intake].
//
// # What it never does
//
// It knows no business rule: which accounts a fact touches is up to the context that owns the
// fact. It rounds nothing, converts no currency, and keeps no personal data: subjects and
// actors are ids. It emits no event either: a posting always accompanies a fact whose own
// event is in the same transaction, and a second one would double the outbox.
package ledger
