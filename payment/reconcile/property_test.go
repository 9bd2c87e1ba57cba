package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

const (
	tenant  = hyperlocal.TenantID("shop")
	gateway = "sandbox"
)

var (
	clerk  = hyperlocal.Actor{Kind: "admin", ID: "clerk"}
	monday = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
)

// stake is what the books and files of one drawn case hold.
type stake struct {
	db    *memstore.DB
	books *ledger.Service
	s     *reconcile.Service
}

// moved makes an operation that succeeded, and posts it as the payment service does.
func (k *stake) moved(ctx context.Context, key, provider string, amount hyperlocal.Money, fee int64, refund bool, at time.Time) error {
	ids := hyperlocal.RandomIDs{}
	owner, merchant := hyperlocal.NewRef("order", ids.NewID()), hyperlocal.NewRef("merchant", "m1")
	in := payment.Intent{
		ID: ids.NewID(), Tenant: tenant, Gateway: gateway, Currency: amount.Currency(), Attempts: 1, Version: 1, CreatedAt: at, UpdatedAt: at,
		Allocations: []payment.Allocation{{Owner: owner, Merchant: merchant, Amount: amount.Amount(), Captured: amount.Amount()}},
	}
	op := payment.Operation{
		ID: ids.NewID(), Tenant: tenant, Intent: in.ID, Owner: owner, Verb: hyperlocal.VerbCharge, Amount: amount, Reference: "pay/1",
		Gateway: gateway, Shares: []payment.Share{{Owner: owner, Merchant: merchant, Amount: amount}}, Attempt: 1, Key: key,
		Outcome: hyperlocal.OutcomeSucceeded, Sent: true, Provider: provider, Actor: clerk, At: at, CreatedAt: at, BegunAt: at, UpdatedAt: at, Version: 1,
	}
	signed := amount
	if refund {
		op.Verb = hyperlocal.VerbRefund
		signed, _ = amount.Neg()
	}
	postings := []hyperlocal.Posting{{
		Tenant: tenant, Reference: "moved/" + op.ID, Kind: "moved", Subject: owner, Effective: at, Actor: clerk,
		Entries: []hyperlocal.Entry{hyperlocal.Debit("clearing/"+gateway, signed), hyperlocal.Credit("sales/m1", signed)},
	}}
	if fee > 0 {
		op.Fee, _ = hyperlocal.NewMoney(fee, amount.Currency())
		postings = append(postings, hyperlocal.Posting{
			Tenant: tenant, Reference: "fee/" + op.ID, Kind: "fee", Subject: owner, Effective: at, Actor: clerk,
			Entries: []hyperlocal.Entry{hyperlocal.Debit("fees/"+gateway, op.Fee), hyperlocal.Credit("clearing/"+gateway, op.Fee)},
		})
	}
	return k.db.WithinTx(ctx, func(ctx context.Context) error {
		return errors.Join(k.db.Payments().SaveIntents(ctx, []payment.Intent{in}),
			k.db.Payments().InsertOperations(ctx, []payment.Operation{op}), k.books.Post(ctx, postings...))
	})
}

func (k *stake) balance(t *rapid.T, account string, c hyperlocal.Currency) int64 {
	got, err := k.books.Balance(context.Background(), tenant, ledger.Account{Path: account + gateway, Asset: string(c)})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestEverythingSumsUp draws books and statements that share few references and amounts, so
// that everything collides with everything, imports them in small batches, and adds up.
func TestEverythingSumsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		db := memstore.New(memstore.WithRankCheck())
		books, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db})
		if err != nil {
			t.Fatal(err)
		}
		k := &stake{db: db, books: books}
		if k.s, err = reconcile.New(reconcile.Config{
			Store: db.Reconciliation(), Tx: db, Books: db.Payments(), Journal: books, Batch: rapid.IntRange(1, 7).Draw(t, "batch"),
			Sources: map[string]reconcile.Source{gateway: {Format: reconcile.SandboxStatement}}, Window: time.Minute, Lag: time.Nanosecond,
			Clock: hyperlocal.ClockFunc(func() time.Time { return monday.Add(100 * time.Hour) }),
		}); err != nil {
			t.Fatal(err)
		}
		currency := rapid.SampledFrom([]hyperlocal.Currency{"GBP", "GBP", "GBP", "JPY"})
		amount := rapid.SampledFrom([]int64{1, 2, 3, 5, 8, 10, 1000})
		minute := func(name string) time.Time {
			return monday.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, name)) * time.Minute)
		}
		name := rapid.SampledFrom([]string{"", "p1", "p2", "p3", "k4", "k5", "k6"})
		for i := range rapid.IntRange(0, 12).Draw(t, "operations") {
			m, _ := hyperlocal.NewMoney(amount.Draw(t, "ours"), currency.Draw(t, "currency"))
			fee := rapid.SampledFrom([]int64{0, 0, 1, 2}).Draw(t, "booked fee")
			key := fmt.Sprint("k", i)
			if err := k.moved(ctx, key, name.Draw(t, "provider"), m, fee, rapid.Bool().Draw(t, "back"), minute("at")); err != nil {
				t.Fatal(err)
			}
		}
		kinds := rapid.SampledFrom([]reconcile.Kind{"charge", "charge", "charge", "refund", "refund", "fee", "dispute", "payout", "adjustment"})
		total := make(map[hyperlocal.Currency][3]int64) // gross, fee, net of all lines of all files
		booked := make(map[hyperlocal.Currency]int64)   // net of those that were not repeated
		suspended := make(map[hyperlocal.Currency]int64)
		lines := 0
		var runs []reconcile.Run
		for range rapid.IntRange(1, 3).Draw(t, "files") {
			var text strings.Builder
			text.WriteString(reconcile.SandboxHeader + "\n")
			for range rapid.IntRange(0, 12).Draw(t, "lines") {
				kind, c := kinds.Draw(t, "kind"), currency.Draw(t, "of")
				gross := amount.Draw(t, "gross")
				if kind == reconcile.KindRefund || kind == reconcile.KindPayout {
					gross = -gross
				}
				fee := rapid.Int64Range(-2, 3).Draw(t, "fee")
				g, _ := hyperlocal.NewMoney(gross, c)
				f, _ := hyperlocal.NewMoney(fee, c)
				n, _ := hyperlocal.NewMoney(gross-fee, c)
				fmt.Fprintf(&text, "%d,%s,%s,%s,%s,%s,%s,%s,%s,%s\n", rapid.IntRange(1, 40).Draw(t, "id"), kind, name.Draw(t, "payment"),
					name.Draw(t, "reference"), rapid.SampledFrom([]string{"", "k1", "k2", "k3", "k9"}).Draw(t, "key"), c, g.Decimal(),
					f.Decimal(), n.Decimal(), minute("when").Format(time.RFC3339))
				sums := total[c]
				total[c] = [3]int64{sums[0] + gross, sums[1] + fee, sums[2] + gross - fee}
				lines++
			}
			fmt.Fprint(&text, strings.Repeat("\n", len(runs))) // never the same file twice
			run, repeated, err := k.s.Import(ctx, reconcile.ImportCommand{
				Tenant: tenant, Source: gateway, Account: "a", Actor: clerk, From: monday.Add(-time.Hour), Until: monday.Add(time.Hour),
			}, strings.NewReader(text.String()))
			if err != nil || repeated || run.Phase != reconcile.PhaseDone {
				t.Fatal(repeated, err, run)
			}
			runs = append(runs, run)
		}
		// The lines of all files are what was decided about them.
		decided := make(map[hyperlocal.Currency][3]int64)
		for _, run := range runs {
			report, err := k.s.Report(ctx, tenant, run.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Totals {
				c := r.Gross.Currency()
				sums := decided[c]
				decided[c] = [3]int64{sums[0] + r.Gross.Amount(), sums[1] + r.Fee.Amount(), sums[2] + r.Net.Amount()}
				lines -= r.Lines
				switch r.Outcome {
				case reconcile.Matched, reconcile.Booked, reconcile.Suspended:
					booked[c] += r.Net.Amount()
				case reconcile.Repeated:
				default:
					t.Fatalf("%d lines are left %q", r.Lines, r.Outcome)
				}
			}
		}
		if lines != 0 || fmt.Sprint(decided) != fmt.Sprint(total) {
			t.Fatalf("%d lines are not in the report, which sums up to %v; the files say %v", lines, decided, total)
		}
		var open []reconcile.Difference
		for p := (hyperlocal.PageRequest{}); ; {
			page, err := k.s.ListDifferences(ctx, tenant, reconcile.Filter{Open: true}, p)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, page.Items...)
			if p.Cursor = page.Next; p.Cursor == "" {
				break
			}
		}
		for _, d := range open {
			suspended[d.Theirs.Currency()] -= d.Theirs.Amount()
			suspended[d.Ours.Currency()] += d.Ours.Amount()
		}
		for _, c := range []hyperlocal.Currency{"GBP", "JPY"} {
			if got := k.balance(t, "balance/", c); got != booked[c] {
				t.Errorf("the balance is %d %s, the lines net %d", got, c, booked[c])
			}
			if got := k.balance(t, "suspense/", c); got != suspended[c] {
				t.Errorf("suspense is %d %s, the open differences say %d", got, c, suspended[c])
			}
			// Every statement was complete, so every operation is settled or in suspense.
			if got := k.balance(t, "clearing/", c); got != 0 {
				t.Errorf("clearing is not empty: %d %s", got, c)
			}
			if got := k.balance(t, "exchange/", c); got != 0 {
				t.Errorf("nothing was converted, and yet exchange is %d %s", got, c)
			}
		}
		// Whoever takes every difference back leaves suspense empty.
		for _, d := range open {
			if _, err := k.s.Resolve(ctx, reconcile.ResolveCommand{
				Tenant: tenant, ID: d.ID, Actor: clerk, Note: "n", Account: rapid.SampledFrom([]string{"", "losses/x"}).Draw(t, "to"),
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []hyperlocal.Currency{"GBP", "JPY"} {
			if got := k.balance(t, "suspense/", c); got != 0 {
				t.Errorf("suspense holds %d %s after everything was resolved", got, c)
			}
		}
	})
}
