// Package reconcile compares the statements of payment providers with what moved by our books,
// posts what agrees, and keeps what does not in suspense until somebody has cleared it up.
//
// A host calls it with each statement that it downloads, and shows its differences to a person:
//
//	s, err := reconcile.New(reconcile.Config{
//		Store: db.Reconciliation(), Tx: db, Books: db.Payments(), Journal: books,
//		Sources: map[string]reconcile.Source{"stripe": {Format: reconcile.StripeBalance}},
//	})
//	run, repeated, err := s.Import(ctx, reconcile.ImportCommand{
//		Tenant: "acme", Source: "stripe", Account: "acct_1", From: day, Until: day.AddDate(0, 0, 1),
//		Actor: hyperlocal.System("reconciliation"),
//	}, file)
//	report, err := s.Report(ctx, "acme", run.ID)
//	open, err := s.ListDifferences(ctx, "acme", reconcile.Filter{Open: true}, hyperlocal.PageRequest{})
//	d, err := s.Resolve(ctx, reconcile.ResolveCommand{ID: open.Items[0].ID, Note: "asked Stripe", ...})
//
// # What a run does
//
// It loads the lines of the file, in batches, and books nothing before the file was read to its
// end. It matches charges and refunds with operations of the payment context by reference: one
// to one, many lines to one operation, one line to many. What no reference leads anywhere it
// matches by amount and time, where only one pair is possible. At last it looks for what moved
// by our books in the time of the statement and stands in none. Every batch is one transaction
// with the progress of the run, so a run that was killed goes on where it stopped, and a file
// that was imported before changes nothing. A line that was booked from another file, told by
// the provider's id, is not booked again.
//
// # What is posted
//
// Payment debits clearing/<gateway> with what was taken, credits it with what was given back,
// and books the fee where the gateway told it. A line moves that on:
//
//	balance/<gateway>   its net: what the provider holds for us
//	fees/<gateway>      its fee, less what was booked already
//	clearing/<gateway>  the operations that it settles, so that clearing is empty in the end
//	transit/<gateway>   payouts, on their way to the bank
//	disputes/<gateway>  what shoppers' banks took back, or returned
//	exchange/<gateway>  the two sides of what the provider converted
//	suspense/<gateway>  the rest
//
// For every currency, the lines of a file are what was matched, booked and suspended, to the
// last minor unit; the balance is the sum of all net amounts; and suspense is what the open
// differences sum up to.
//
// # What it asks of its host
//
// The name of a source is that of the gateway in payment, and one gateway is one account at the
// provider per tenant: our operations do not know more. Statements of one source are imported
// in the order of their time; with gaps between their times, nobody looks for what moved then.
//
// It never asks a provider for anything, never changes a payment, and keeps nothing of a
// statement but ids, amounts and times: names and descriptions stay in the file.
package reconcile
