package reconciletest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

// Harness is a fresh database with the stores of both packages in it. Nothing else writes to it.
type Harness struct {
	Store    reconcile.Store
	Payments payment.Store
	Tx       hyperlocal.TxRunner
}

// Run runs the whole kit. newHarness is called once per case.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, group := range []struct {
		name  string
		cases []testCase
	}{
		{"store", storeCases()},
		{"pages", pageCases()},
		{"match", matchCases()},
		{"suspense", suspenseCases()},
		{"import", importCases()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, newHarness(t))
				})
			}
		})
	}
}

type testCase struct {
	name string
	run  func(t *testing.T, h Harness)
}

const (
	tenant  = hyperlocal.TenantID("shop")
	other   = hyperlocal.TenantID("shop-2")
	gateway = "sandbox"
	account = "acct_1"
)

var (
	clerk  = hyperlocal.Actor{Kind: "admin", ID: "clerk"}
	monday = time.Date(2026, 3, 2, 9, 30, 0, 123456000, time.UTC)
)

func id() string { return hyperlocal.RandomIDs{}.NewID() }

func money(minor int64, c hyperlocal.Currency) hyperlocal.Money {
	m, _ := hyperlocal.NewMoney(minor, c)
	return m
}

func gbp(minor int64) hyperlocal.Money { return money(minor, "GBP") }

// world is a service with everything around it.
type world struct {
	t     *testing.T
	h     Harness
	now   time.Time
	books *journal
	s     *reconcile.Service
}

func open(t *testing.T, h Harness, change ...func(*reconcile.Config)) *world {
	t.Helper()
	w := &world{t: t, h: h, now: monday.Add(48 * time.Hour), books: &journal{seen: make(map[string]hyperlocal.Posting)}}
	w.s = w.service(change...)
	return w
}

// service builds another one over the same database: another process.
func (w *world) service(change ...func(*reconcile.Config)) *reconcile.Service {
	w.t.Helper()
	c := reconcile.Config{
		Store: w.h.Store, Tx: w.h.Tx, Books: w.h.Payments, Journal: w.books, Clock: hyperlocal.ClockFunc(func() time.Time { return w.now }),
		Sources: map[string]reconcile.Source{gateway: {Format: reconcile.SandboxStatement}},
	}
	for _, f := range change {
		f(&c)
	}
	s, err := reconcile.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// operation is what moved by our books. Zero fields are filled in.
type operation struct {
	kind     payment.MovementKind
	amount   hyperlocal.Money
	fee      hyperlocal.Money
	key      string
	provider string
	at       time.Time
	id       string
}

// moved stores operations that succeeded, and posts them as the payment service does.
func (w *world) moved(operations ...operation) []payment.Operation {
	w.t.Helper()
	var intents []payment.Intent
	var stored []payment.Operation
	for _, o := range operations {
		if o.kind == "" {
			o.kind = payment.MovedCapture
		}
		if o.at.IsZero() {
			o.at = monday
		}
		if o.id == "" {
			o.id = id()
		}
		if o.key == "" {
			o.key = "key/" + o.id
		}
		verb := hyperlocal.VerbCharge
		if o.kind == payment.MovedRefund {
			verb = hyperlocal.VerbRefund
		}
		owner, merchant := hyperlocal.NewRef("order", id()), hyperlocal.NewRef("merchant", "m1")
		in := payment.Intent{
			ID: id(), Tenant: tenant, Gateway: gateway, Currency: o.amount.Currency(), Attempts: 1, Version: 1,
			Allocations: []payment.Allocation{{Owner: owner, Merchant: merchant, Amount: o.amount.Amount(), Captured: o.amount.Amount()}},
			CreatedAt:   o.at, UpdatedAt: o.at,
		}
		intents = append(intents, in)
		stored = append(stored, payment.Operation{
			ID: o.id, Tenant: tenant, Intent: in.ID, Owner: owner, Verb: verb, Amount: o.amount, Reference: "pay/1", Gateway: gateway,
			Shares:  []payment.Share{{Owner: owner, Merchant: merchant, Amount: o.amount}},
			Attempt: 1, Key: o.key, Outcome: hyperlocal.OutcomeSucceeded, Sent: true, Provider: o.provider, Fee: o.fee, Actor: clerk,
			At: o.at, CreatedAt: o.at, BegunAt: o.at, UpdatedAt: o.at, Version: 1,
		})
	}
	err := w.h.Tx.WithinTx(w.t.Context(), func(ctx context.Context) error {
		var postings []hyperlocal.Posting
		for _, op := range stored {
			sign := op.Amount
			if op.Verb == hyperlocal.VerbRefund {
				sign, _ = op.Amount.Neg()
			}
			postings = append(postings, hyperlocal.Posting{Tenant: tenant, Reference: "moved/" + op.ID, Kind: "moved", Entries: []hyperlocal.Entry{
				hyperlocal.Debit("clearing/"+gateway, sign), hyperlocal.Credit("sales/m1", sign),
			}})
			if op.Fee.Sign() > 0 {
				postings = append(postings, hyperlocal.Posting{Tenant: tenant, Reference: "fee/" + op.ID, Kind: "fee", Entries: []hyperlocal.Entry{
					hyperlocal.Debit("fees/"+gateway, op.Fee), hyperlocal.Credit("clearing/"+gateway, op.Fee),
				}})
			}
		}
		return errors.Join(w.h.Payments.SaveIntents(ctx, intents), w.h.Payments.InsertOperations(ctx, stored), w.books.Post(ctx, postings...))
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return stored
}

// file is a statement: one row per line, "id kind payment reference key gross fee at-minutes",
// "-" for an empty cell. The currency stands behind the gross amount, GBP if none does.
func file(rows ...string) string {
	var b strings.Builder
	b.WriteString(reconcile.SandboxHeader + "\n")
	for _, r := range rows {
		f := strings.Fields(r)
		for i := range f {
			if f[i] == "-" {
				f[i] = ""
			}
		}
		amount, currency := f[5], "GBP"
		if n := len(amount); n > 3 && amount[n-1] >= 'A' {
			amount, currency = amount[:n-3], amount[n-3:]
		}
		gross, _ := hyperlocal.ParseMoney(amount, hyperlocal.Currency(currency))
		fee, _ := hyperlocal.ParseMoney(f[6], hyperlocal.Currency(currency))
		net, _ := gross.Sub(fee)
		minutes, _ := time.ParseDuration(f[7] + "m")
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s,%s,%s,%s,%s,%s\n", f[0], f[1], f[2], f[3], f[4], currency,
			gross.Decimal(), fee.Decimal(), net.Decimal(), monday.Add(minutes).Format(time.RFC3339Nano))
	}
	return b.String()
}

func command() reconcile.ImportCommand {
	return reconcile.ImportCommand{Tenant: tenant, Source: gateway, Account: account, Actor: clerk}
}

// whole is a command for a statement that is complete for the whole day.
func whole() reconcile.ImportCommand {
	c := command()
	c.From, c.Until = monday.Add(-12*time.Hour), monday.Add(12*time.Hour)
	return c
}

// run imports a file and wants it to go through.
func (w *world) run(c reconcile.ImportCommand, text string) reconcile.Run {
	w.t.Helper()
	run, repeated, err := w.s.Import(w.t.Context(), c, strings.NewReader(text))
	if err != nil {
		w.t.Fatalf("import: %v", err)
	}
	if repeated || run.Phase != reconcile.PhaseDone {
		w.t.Fatalf("repeated %v, %+v", repeated, run)
	}
	return run
}

// verdicts returns what became of the lines of a run, "outcome strategy reason", by number.
func (w *world) verdicts(run reconcile.Run) []string {
	w.t.Helper()
	var out []string
	p := hyperlocal.PageRequest{}
	for {
		page, err := w.s.ListLines(w.t.Context(), tenant, run.ID, "", p)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, d := range page.Items {
			v := d.Verdict
			out = append(out, strings.Join(strings.Fields(fmt.Sprint(v.Outcome, " ", v.Strategy, " ", v.Reason)), " "))
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			return out
		}
	}
}

func (w *world) wantVerdicts(run reconcile.Run, want ...string) {
	w.t.Helper()
	if got := w.verdicts(run); !slices.Equal(got, want) {
		w.t.Errorf("the lines were decided\n%q\nwant\n%q", got, want)
	}
}

// differences returns what is open.
func (w *world) differences() []reconcile.Difference {
	w.t.Helper()
	page, err := w.s.ListDifferences(w.t.Context(), tenant, reconcile.Filter{Open: true}, hyperlocal.PageRequest{Limit: 200})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Items
}

// wantBooks checks balances in pence, "account": amount; accounts that are not named are empty.
func (w *world) wantBooks(want map[string]int64) {
	w.t.Helper()
	got := w.books.balances()
	delete(got, "sales/m1 GBP")
	named := make(map[string]int64)
	for account, amount := range want {
		if !strings.Contains(account, " ") {
			account += " GBP"
		}
		named[account] = amount
	}
	if !maps.Equal(got, named) {
		w.t.Errorf("the books hold\n%v\nwant\n%v", got, named)
	}
}

// journal stands for the ledger: every posting balances, every reference counts once.
type journal struct {
	mu   sync.Mutex
	seen map[string]hyperlocal.Posting
}

// Post implements [payment.Journal].
func (j *journal) Post(ctx context.Context, postings ...hyperlocal.Posting) error {
	if !hyperlocal.InTx(ctx) {
		return fmt.Errorf("posted outside a transaction")
	}
	if len(postings) > reconcile.MaxPostings {
		return fmt.Errorf("%d postings at once", len(postings))
	}
	for _, p := range postings {
		sums := make(map[string]int64)
		for _, e := range p.Entries {
			if e.Amount == 0 || strings.ToLower(e.Account) != e.Account {
				return fmt.Errorf("odd entry %+v", e)
			}
			sums[e.Asset] += e.Amount
		}
		for asset, sum := range sums {
			if sum != 0 {
				return fmt.Errorf("posting %s does not balance in %s", p.Reference, asset)
			}
		}
		if len(p.Entries) < 2 || p.Reference == "" {
			return fmt.Errorf("odd posting %+v", p)
		}
	}
	hyperlocal.AfterCommit(ctx, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, p := range postings {
			if _, twice := j.seen[p.Reference]; twice {
				p.Reference += "/again" // spoils the balances, so that the case fails
			}
			j.seen[p.Reference] = p
		}
	})
	return nil
}

func (j *journal) balances() map[string]int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	sums := make(map[string]int64)
	for _, p := range j.seen {
		for _, e := range p.Entries {
			sums[e.Account+" "+e.Asset] += e.Amount
		}
	}
	maps.DeleteFunc(sums, func(_ string, sum int64) bool { return sum == 0 })
	return sums
}

func wantReason(t *testing.T, err error, want *hyperlocal.Error) {
	t.Helper()
	if hyperlocal.ReasonOf(err) != want.Reason {
		t.Errorf("got %v, want %s", err, want.Reason)
	}
}
