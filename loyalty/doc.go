// Package loyalty keeps the points of members: what they earned, lot by lot, what they may
// spend, and when it expires.
//
// Each earning is a lot with a source (an order), a time from which it may be spent and a
// time at which it expires. Points burn first-expiring first. The value itself is an asset
// of the ledger: every change of a lot posts to the member's points account in the same
// transaction, through the [Journal] port.
//
//	db := memstore.New()
//	books, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db})
//	...
//	points, err := loyalty.New(loyalty.Config{Store: db.Loyalty(), Tx: db, Journal: books})
//	...
//	err = points.SetEarned(ctx, loyalty.Earned{
//		Tenant: "acme", Member: hyperlocal.NewRef("customer", "7"),
//		Source: hyperlocal.NewRef("order", "1"), SourceVersion: 5,
//		Points: loyalty.Points(total, loyalty.WholeUnits), Actor: hyperlocal.System("loyalty"),
//	})
//
// # Who calls it
//
// An event handler calls [Service.SetEarned] whenever an order that earns points has changed,
// with what the order is worth now: a target, not a difference. Repeated and late calls do
// nothing. Checkout spends through [Service.Participant], which joins the placement of the
// order, and the end of an order that is cancelled or expires, to give the points back;
// anything else spends through [Service.Spend] and takes it back with [Service.Restore]. A worker calls [Service.Expire].
//
// # What holds
//
// The points left in a member's lots add up to the balance of the member's account in the
// ledger, and neither is ever negative. For each member, and whatever happened in what order:
//
//	earned + shortfall = remaining + spent + expired
//
// with earned, shortfall, remaining and expired summed over the lots, and spent over the
// spendings that were not restored.
//
// # When earned points are taken back
//
// Lowering the target of a lot takes the difference from what is left of that lot, then from
// what expired of it (the member never had the use of those), then from the member's other
// lots, last-expiring first. What cannot be taken, because it has been spent, is the lot's
// shortfall: the member is not asked for it, but whatever comes in next, earned or restored,
// makes up for it first, the lot's own shortfall before older ones.
//
// # Locks
//
// Every change locks the member's ledger account first ([hyperlocal.RankAccount]) and reads
// the lots afterwards ([hyperlocal.RankLot]), so the account's lock serialises everything that
// happens to one member, and different members never wait for each other.
//
// # What it never does
//
// It does not know what a point is worth in money, keeps no personal data (members and
// sources are ids), and asks nobody to pay a shortfall. It emits no events: each change is
// caused by a fact that has its own, and History tells the rest.
package loyalty
