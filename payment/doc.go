// Package payment gets money for what is owned elsewhere, and gives it back: intents,
// attempts, captures, voids, refunds, webhooks.
//
// The smallest program that is paid:
//
//	gateway, err := sandbox.New(sandbox.Config{})
//	payments, err := payment.New(payment.Config{
//		Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Gateways: []payment.Gateway{gateway},
//	})
//	err = payments.AttachOwner("order", orders) // who is told when money has moved
//
//	ops, err := payments.Begin(ctx, hyperlocal.PaymentCommand{Verb: hyperlocal.VerbCharge, ...})
//	fact, err := payments.Execute(ctx, tenant, ops[0].ID)
//
// *order.Service drives it like this, and *[Service] satisfies order.Payments.
//
// # How nobody is charged twice
//
// [Service.Begin] stores an operation in the caller's transaction: with its idempotency key,
// derived from the row, and a lease. After the commit [Service.Execute] asks the gateway,
// outside any transaction, and records the answer in one transaction together with the
// amounts, the journal, the owner's reaction and the events. Webhooks, lookups and decisions
// by hand end in that same transaction, so it does not matter who is first, and who comes
// later changes nothing.
//
// A timeout is no failure. It leaves the outcome unknown, and [Service.RunDue] looks the
// operation up with growing gaps; so it does after a crash, when a lease has ended. Only when
// the gateway is sure that it never got the request is it sent again, under the same key.
// What cannot be cleared up goes to a person: an event, and a mark on the operation that
// [Service.Resolve] and [Service.Recheck] remove.
//
// A webhook ([Service.Receive], [Service.ProcessWebhooks]) is a claim: proved genuine,
// stored, and compared with our rows before anything moves. One that says that money moved
// as we asked is believed; one that says the opposite makes us ask the gateway; one that
// contradicts us is raised and not applied.
//
// # Shape
//
// An intent belongs to its owners through allocations, n to m: one payment may be for
// several orders ([Service.BeginShared]), one order may take several payments. Amounts are
// the sums of movements, and captured never exceeds what is due, nor refunded what was
// captured, by a check here and by one in the database.
//
// Locks are taken in the order owners, intents; then whatever the owner needs. A caller of
// Begin that also locks stock or accounts calls Begin first.
//
// With Config.Intake, what gateways answer to concurrent callers is recorded together: see
// [Intake].
//
// It never opens a connection itself, never talks to a gateway inside a transaction, never
// sees a card number, and never passes text of people on to a gateway.
package payment
