// Package order is the order of a customer with a merchant: placed, paid, worked on, handed
// over, and if need be cancelled or refunded.
//
// A [Service] is built from a [Store] and the ports in ports.go, all of them in the host's
// own transaction:
//
//	orders, err := order.New(order.Config{
//		Store: db.Orders(), Tx: db, Outbox: db.Outbox(), Idempotency: db.Idempotency(),
//		Stock: stock, Payments: payments, Journal: ledger, Offers: catalogue,
//	})
//	placed, err := orders.Place(ctx, order.PlaceCommand{...})
//	paid, err := orders.Pay(ctx, order.PayCommand{...})
//	_, err = orders.Accept(ctx, order.Command{...})
//
// Everything works in batches, and one is a batch of length one: [Service.PlaceMany] and
// [Service.Do] answer per item, and a refused item never fails its neighbours.
//
// # Many callers at once
//
// With Config.Intake, the single calls of concurrent callers (Place, a command, Pay) are
// gathered and committed together: see [Intake]. A caller who is alone does not wait, one who
// leaves half-way asks again under the same key, and one inside a transaction of its own is
// not gathered. Call [Service.Close] after the last caller has gone and before the database
// is closed. Other processes may work on the same database, with an intake or without.
//
// # Three facts, three tables
//
// Where the order stands in its fulfilment ([State]), what is known about its money
// ([PaymentStatus]) and where each refund stands ([RefundState]) are separate facts. Each
// moves along a transition table that is data: [DefaultTable], [DefaultPaymentTable] and
// [DefaultRefundTable]; docs/state holds them as diagrams. Whatever is not in a table is
// refused. A host adds rows of its own:
//
//	order.New(config, order.WithTable(order.DefaultTable().With(rows...)))
//
// # The clock
//
// No order is ever without a next action: [NextAction] names one for every state and payment
// status, it is stored with the order, and [Service.RunDue] does what is due. A worker calls
// RunDue, sleeps until the time that it returned or until Config.Wake is called, and calls it
// again.
//
// # Money
//
// The order context never talks to a gateway. It stores payment operations through
// [Payments] in its own transaction, asks for their execution afterwards, and is told what
// became known through [Service.ApplyPayment]. What follows from such a fact, a refund of money
// that came too late for one, is asked for by RunDue, so that the fact can always be recorded.
//
// Money that is held for a completed order is never forgotten: a person is asked about it, and
// resolving an order asks for its capture again.
//
// # What a placement spends
//
// Points and the like are spent through [Config.Participants], in the transaction of the
// placement. When the order is cancelled, rejected or expires, a participant that is a
// [Returner] gives them back in the transaction of that transition. An expired order whose
// money comes late is confirmed after all if its stock can be had again, but not one that got
// something back: what it spent is the customer's again, so the late money is refunded.
//
// It never reads a price from a shopper's request unless the caller put it there, never
// changes an order's lines after the placement, and never deletes an order.
package order

//go:generate go run ../docs/internal/gentables -out ../docs/state
