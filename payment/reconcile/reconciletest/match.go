package reconciletest

import (
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

func matchCases() []testCase {
	return []testCase{
		{"one to one", oneToOne},
		{"a fee that is booked already", feeKnown},
		{"a refund is no charge", kindsApart},
		{"many lines to one operation", manyToOne},
		{"many lines in several batches", manyToOneApart},
		{"one line to many operations", oneToMany},
		{"amount and time, unambiguous", byAmount},
		{"amount and time, ambiguous", ambiguous},
		{"amount and time, when a reference claims it later", byAmountLast},
		{"the provider's own lines", ownLines},
		{"what the provider converted", converted},
		{"derived references", derived},
	}
}

const matched = "matched reference"

func oneToOne(t *testing.T, h Harness) {
	w := open(t, h)
	ops := w.moved(
		operation{amount: gbp(1000), key: "k1"},
		operation{amount: gbp(2000), provider: "ch_2"},
		operation{amount: gbp(3000), kind: payment.MovedRefund, provider: "pi_1"}, // known by the payment's reference
		operation{amount: gbp(500)},
	)
	w.wantBooks(map[string]int64{"clearing/sandbox": 500})
	run := w.run(whole(), file(
		"1 charge pi_1 ch_1 k1 10 0.30 0",
		"2 charge pi_2 ch_2 - 20 0 1",
		"3 refund pi_1 re_1 - -30 -0.10 2",
		"4 charge "+ops[3].Intent+" ch_9 - 5 0.05 3", // known by our intent
	))
	w.wantVerdicts(run, matched, matched, matched, matched)
	w.wantBooks(map[string]int64{"balance/sandbox": 475, "fees/sandbox": 25})
	if open := w.differences(); len(open) != 0 {
		t.Errorf("open: %+v", open)
	}
}

func feeKnown(t *testing.T, h Harness) {
	w := open(t, h)
	w.moved(operation{amount: gbp(1000), fee: gbp(25), key: "k1"})
	w.run(whole(), file("1 charge - - k1 10 0.30 0"))
	w.wantBooks(map[string]int64{"balance/sandbox": 970, "fees/sandbox": 30})
}

// kindsApart: what leads to the charge alone tells nothing about a refund.
func kindsApart(t *testing.T, h Harness) {
	w := open(t, h)
	w.moved(operation{amount: gbp(1000), provider: "p1"})
	run := w.run(whole(), file("1 refund p1 - - -10 0 0", "2 charge p1 - - 10 0 0"))
	w.wantVerdicts(run, "suspended missing_in_books", matched)
	w.wantBooks(map[string]int64{"suspense/sandbox": 1000})
}

func manyToOne(t *testing.T, h Harness) {
	w := open(t, h)
	w.moved(operation{amount: gbp(1000), fee: gbp(10), provider: "p1"}, operation{amount: gbp(700), provider: "p1", kind: payment.MovedRefund})
	run := w.run(whole(), file("1 charge p1 a - 4 0.05 0", "2 refund p1 b - -7 0 0", "3 charge p1 c - 6 0.10 1"))
	w.wantVerdicts(run, "matched many_to_one", matched, "matched many_to_one")
	w.wantBooks(map[string]int64{"balance/sandbox": 285, "fees/sandbox": 15})
}

func manyToOneApart(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Batch = 2 })
	w.moved(operation{amount: gbp(1000), provider: "p1"}, operation{amount: gbp(100), provider: "p2"},
		operation{amount: gbp(200), provider: "p3"}, operation{amount: gbp(300), provider: "p4"})
	run := w.run(whole(), file("1 charge p1 a - 4 0 0", "2 charge p2 b - 1 0 0", "3 charge p3 c - 2 0 0", "4 charge p4 d - 3 0 0",
		"5 charge p1 e - 6 0 1"))
	w.wantVerdicts(run, "matched many_to_one", matched, matched, matched, "matched many_to_one")
	w.wantBooks(map[string]int64{"balance/sandbox": 1600})
}

func oneToMany(t *testing.T, h Harness) {
	w := open(t, h)
	w.moved(operation{amount: gbp(600), fee: gbp(5), provider: "p1"}, operation{amount: gbp(400), provider: "p1"},
		operation{amount: gbp(50), provider: "p1"})
	run := w.run(whole(), file("1 charge p1 - - 0.50 0 0", "2 charge p1 - - 10 0.30 1"))
	w.wantVerdicts(run, matched, "matched one_to_many")
	w.wantBooks(map[string]int64{"balance/sandbox": 1020, "fees/sandbox": 30})
}

func byAmount(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Window = 10 * time.Minute; c.Batch = 1 })
	w.moved(
		operation{amount: gbp(1000)},
		operation{amount: gbp(1000), at: monday.Add(21 * time.Minute)},
		operation{amount: gbp(1000), kind: payment.MovedRefund},
		operation{amount: money(1000, "EUR")},
		operation{amount: gbp(2000), at: monday.Add(11 * time.Minute)}, // too late for its line
		operation{amount: gbp(3000)},                                   // too early
	)
	run := w.run(command(), file("1 charge - x - 10 0.20 10", "2 charge - y - 10EUR 0 0", "3 refund - z - -10 0 -10", "4 charge - q - 20 0 0",
		"5 charge - r - 30 0 11"))
	const guessed, lost = "matched amount", "suspended missing_in_books"
	w.wantVerdicts(run, guessed, guessed, guessed, lost, lost)
	w.wantBooks(map[string]int64{
		"balance/sandbox": 980 - 1000 + 5000, "balance/sandbox EUR": 1000, "fees/sandbox": 20, "clearing/sandbox": 1000 + 5000,
		"suspense/sandbox": -5000, "sales/m1 EUR": -1000,
	})
}

// Two lines for one operation, two operations for one line, and a chain of both.
func ambiguous(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Window = 10 * time.Minute })
	w.moved(
		operation{amount: gbp(1000)},
		operation{amount: gbp(2000)}, operation{amount: gbp(2000), at: monday.Add(time.Minute)},
		operation{amount: gbp(3000)}, operation{amount: gbp(3000), at: monday.Add(15 * time.Minute)},
	)
	run := w.run(command(), file(
		"1 charge - a - 10 0 0", "2 charge - b - 10 0 1",
		"3 charge - c - 20 0 0",
		"4 charge - d - 30 0 -5", "5 charge - e - 30 0 8", // the first may be one operation's, the second either's
	))
	const lost = "suspended missing_in_books"
	w.wantVerdicts(run, lost, lost, lost, lost, lost)
}

func byAmountLast(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Batch = 1 })
	w.moved(operation{amount: gbp(1000), key: "k1"})
	run := w.run(command(), file("1 charge - x - 10 0 0", "2 charge - y k1 10 0 0"))
	w.wantVerdicts(run, "suspended missing_in_books", matched)
	// What is settled is nobody's chance any more, so the other one is the only one.
	w.moved(operation{amount: gbp(1000), key: "k2"})
	w.wantVerdicts(w.run(command(), file("3 charge - z - 10 0 0")), "matched amount")
}

func ownLines(t *testing.T, h Harness) {
	w := open(t, h)
	run := w.run(whole(), file(
		"1 fee - - - -2 0 0", "2 payout - - - -50 0.25 0", "3 dispute - - - -10 15 0", "4 dispute - - - 10 -15 5", "5 adjustment - - - 3 0 9",
	))
	w.wantVerdicts(run, "booked", "booked", "booked", "booked", "suspended missing_in_books")
	w.wantBooks(map[string]int64{
		"balance/sandbox": -200 - 5025 + 300, "fees/sandbox": 200 + 25, "transit/sandbox": 5000, "suspense/sandbox": -300,
	})
	report, err := w.s.Report(t.Context(), tenant, run.ID)
	if err != nil || len(report.Totals) != 2 || report.Totals[0].Lines != 4 || report.Totals[0].Net != gbp(-5225) || report.Totals[0].Fee != gbp(25) {
		t.Errorf("%+v, %v", report, err)
	}
}

const convertedRow = "txn_1,2026-03-02 09:30:00,charge,eur,11.50,0.50,11.00,ch_1,pi_1,10.00,gbp"

func converted(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Sources[gateway] = reconcile.Source{Format: reconcile.StripeBalance} })
	w.moved(operation{amount: gbp(1000), fee: gbp(5), provider: "pi_1"})
	run := w.run(whole(), "balance_transaction_id,created_utc,reporting_category,currency,gross,fee,net,source_id,payment_intent_id,"+
		"customer_facing_amount,customer_facing_currency\n"+convertedRow+"\n")
	w.wantVerdicts(run, matched)
	w.wantBooks(map[string]int64{
		"balance/sandbox EUR": 1100, "fees/sandbox EUR": 50, "exchange/sandbox EUR": -1150, "exchange/sandbox": 1000,
	})
}

func derived(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) {
		c.Sources[gateway] = reconcile.Source{
			Format: reconcile.SandboxStatement,
			References: func(of hyperlocal.TenantID, reference string) []string {
				return []string{string(of) + "/" + reference}
			},
		}
	})
	w.moved(operation{amount: gbp(1000), key: "shop/N0001"})
	run := w.run(whole(), file("1 charge T1 - N0001 10 0 0"))
	w.wantVerdicts(run, matched)
}
