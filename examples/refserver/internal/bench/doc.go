// Package bench measures how fast orders are placed, beside the raw limit of the same
// database in the same run.
//
// The raw limit is what hand-written SQL reaches that does the least an order needs: insert
// the order, two lines and an event, take two items from stock if enough is left, commit.
// One statement is one round trip, as in a plain program. Ours is [order.Service.Place] with
// everything a real order has. Both use the same number of clients, the same number of
// items, the same durability, are prepared and warmed up, and run one after the other.
//
// A figure per second alone says more about the machine than about the program; the ratio
// is what to compare.
package bench
