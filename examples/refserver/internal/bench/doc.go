// Package bench measures how fast the SDK does what is done most, beside the raw limit of the
// same machine in the same run.
//
//	res, err := bench.Place(ctx, bench.Options{DSN: "sqlite:", Clients: 32, Items: 10_000, Duration: 10 * time.Second})
//	...
//	err = res.Print(os.Stdout)
//
// The raw limit is what hand-written SQL reaches that does the least there is to do: for an
// order, insert it, two lines and an event, take two items from stock if enough is left, commit.
// One statement is one round trip, as in a plain program. Ours is the service with everything
// that belongs to a real order. Both use the same number of clients, the same number of items,
// the same durability, are prepared and warmed up, and run one after the other.
//
// A figure per second alone says more about the machine than about the program; the ratio is
// what to compare, and round trips, log and computing time per order say why it is what it is.
//
// Every measurement works in a schema, or a folder, of its own and removes it, also when its
// context ends early. It never touches anything else in the database. Two run at once without
// harm, but for the figures.
package bench
