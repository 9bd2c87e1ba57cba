// Package inventory counts things at places and promises them to owners: goods on a shelf,
// seats in a room, minutes of a kitchen, windows of a courier. Whatever can be sold out is an
// item at a location, and is held with the same primitive.
//
// A [Level] says how much of an item is on hand and how much of that is reserved. Nothing
// changes a level without a [Movement] that says what, why, for whom and by whom, so that at
// every observable moment
//
//	on hand  = sum of the on-hand deltas of the movements
//	reserved = sum of their reserved deltas = sum of the open reservations
//	0 <= reserved <= on hand + backorder limit    (for items that are reserved at all)
//
// [Service.Recompute] checks the first two and [Service.Repair] restores them; the third is
// a guard inside the store, so it holds whatever a caller forgets to lock.
//
// # Who calls it
//
// The order context, through a port of its own that [Service] satisfies by structure:
// [Service.Decide] takes part in the placement of a batch of orders, [Service.CommitReserved]
// lets goods leave when an order is accepted, [Service.ReleaseReserved] gives them back when
// it is cancelled, [Service.Return] restocks what a customer brings back. Merchants and
// imports use [Service.SetItems], [Service.Receive], [Service.WriteOff], [Service.Transfer]
// and [Service.Adjust]; carts use [Service.HoldMany] and [Service.ExtendHolds], and a worker
// calls [Service.ExpireHolds].
//
// # Life of a unit
//
//	Receive             on hand +1
//	placement           reserved +1, under the order            released if the order is cancelled
//	CommitReserved      on hand -1, reserved -1                 the goods have left
//	Return              on hand +1                              they came back
//
// A cart's hold is a reservation with a time to live; one under an order has none and ends
// only when the order says so. A placement that names a cart in its Spend (see [SpendHold])
// takes the cart's hold over in the same transaction.
//
// # A crowd
//
// With Config.Intake the holds of carts that come together are committed together, and what
// was just seen to have run out is refused without a lock: see [Intake].
//
// # The smallest program
//
//	db := memstore.New()
//	stock, err := inventory.New(inventory.Config{Store: db.Stock(), Tx: db, Outbox: db.Outbox()})
//	...
//	err = stock.SetItems(ctx, inventory.SetItemsCommand{Tenant: "acme", Actor: admin, Items: []inventory.Item{
//		{ID: "espresso-1kg", Location: "shop", Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder},
//	}})
//
// # What it never does
//
// It never sells what is not there, not even when the same item stands twice in one batch or
// a hundred buyers want the last unit at once. It never rounds or converts a unit. It knows
// neither orders nor products: owners are references, items are names.
package inventory
