package bunstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

// What reconciling may take for each hundred thousand lines, and in all.
const (
	scaleTime   = time.Minute
	scaleMemory = 300 << 20 // bytes that the whole process has held at most
)

// TestReconciliationScale imports a large statement against as many payments on a SQLite file:
//
//	HYPERLOCAL_RECONCILE_LINES=100000 go test ./adapters/bunstore -run TestReconciliationScale -v -count=1
//
// One line in a hundred each is one of two for one payment, one for two payments, to be matched
// by its amount alone, unknown to us, or of another amount; one payment in a hundred is unknown
// to the provider.
func TestReconciliationScale(t *testing.T) {
	lines, err := strconv.Atoi(os.Getenv("HYPERLOCAL_RECONCILE_LINES"))
	if err != nil || lines < 1000 {
		t.Skip("set HYPERLOCAL_RECONCILE_LINES to at least 1000")
	}
	ctx := t.Context()
	s := openStore(t, SQLite)
	books, err := ledger.New(ledger.Config{Store: s.Ledger(), Tx: s})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "statement.csv")
	hundreds := lines / 100
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	writeScale(t, s, books, path, day, hundreds)
	t.Logf("%d payments are booked; the process has held %d MB", 100*hundreds, peakMemory(t)>>20)

	service, err := reconcile.New(reconcile.Config{
		Store: s.Reconciliation(), Tx: s, Books: s.Payments(), Journal: books,
		Sources: map[string]reconcile.Source{"stripe": {Format: reconcile.StripeBalance}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	command := reconcile.ImportCommand{
		Tenant: "shop", Source: "stripe", Account: "acct_1", From: day, Until: day.AddDate(0, 0, 2), Actor: hyperlocal.System("test"),
	}
	began := time.Now()
	run, _, err := service.Import(ctx, command, file)
	took := time.Since(began)
	if err != nil {
		t.Fatal(err)
	}
	peak := peakMemory(t)
	t.Logf("%d lines, %d MB, in %.1f s; the process has held %d MB", run.Lines, run.Size>>20, took.Seconds(), peak>>20)
	if limit := scaleTime * time.Duration(max(lines, 100_000)) / 100_000; took > limit {
		t.Errorf("it took longer than %v", limit)
	}
	if peak > scaleMemory {
		t.Errorf("that is more than %d MB", scaleMemory>>20)
	}
	began = time.Now()
	if _, repeated, err := service.Import(ctx, command, file); err != nil || !repeated {
		t.Errorf("again: %v, %v", repeated, err)
	}
	t.Logf("the same file again in %v", time.Since(began))
	began = time.Now()
	report, err := service.Report(ctx, "shop", run.ID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the report in %v", time.Since(began))
	got := make(map[string]int)
	for _, total := range report.Totals {
		got[strings.TrimSpace(fmt.Sprint(total.Outcome, " ", total.Strategy, total.Reason))] = total.Lines
	}
	want := map[string]int{
		"matched reference": 94 * hundreds, "matched many_to_one": 2 * hundreds, "matched one_to_many": hundreds, "matched amount": hundreds,
		"suspended missing_in_books": hundreds, "suspended amount_differs": hundreds,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || run.Lines != 100*hundreds {
		t.Errorf("%d lines: got %v, want %v", run.Lines, got, want)
	}
	// In suspense: a pound too much in every hundred, one unknown line, one missing payment.
	suspense := int64(hundreds) * (-100 - scaleAmount + scaleAmount)
	for account, want := range map[string]int64{"clearing/stripe": 0, "suspense/stripe": suspense} {
		balance, err := books.Balance(ctx, "shop", ledger.Account{Path: account, Asset: "GBP"})
		if err != nil || balance != want {
			t.Errorf("%s is %d, want %d (%v)", account, balance, want, err)
		}
	}
}

const scaleAmount = 1250

// writeScale stores hundreds of a hundred payments, and the statement about them.
func writeScale(t *testing.T, s *Store, books *ledger.Service, path string, day time.Time, hundreds int) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fmt.Fprintln(file, "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,payment_intent_id,description")
	ids, actor := hyperlocal.RandomIDs{}, hyperlocal.System("test")
	line := 0
	write := func(at time.Time, intent string, minor int64) {
		line++
		gross, _ := hyperlocal.NewMoney(minor, "GBP")
		fee, _ := hyperlocal.NewMoney(40, "GBP")
		net, _ := gross.Sub(fee)
		fmt.Fprintf(file, "txn_%024d,%s,gbp,%s,%s,%s,charge,ch_%024d,%s,\"Order, with a text\"\n", line, at.Format(time.DateTime),
			gross.Decimal(), fee.Decimal(), net.Decimal(), line, intent)
	}
	for h := range hundreds {
		intents := make([]payment.Intent, 100)
		operations := make([]payment.Operation, 100)
		postings := make([]hyperlocal.Posting, 100)
		for i := range 100 {
			n := 100*h + i
			at := day.Add(time.Duration(n) * 20 * time.Hour / time.Duration(100*hundreds)).Truncate(time.Second).Add(time.Hour)
			reference := fmt.Sprintf("pi_%024d", n)
			minor := int64(scaleAmount)
			owner, merchant := hyperlocal.NewRef("order", ids.NewID()), hyperlocal.NewRef("merchant", "m1")
			switch i {
			case 0: // of two lines
				write(at, reference, 1000)
				write(at, reference, 250)
			case 1: // one line for this and the next
				write(at, reference, 2*scaleAmount)
			case 2:
				reference = fmt.Sprintf("pi_%024d", n-1)
			case 3: // known by its amount, which nothing else has
				minor = 1_000_000 + int64(h)
				write(at, "", minor)
				reference = ""
			case 4: // unknown to the provider
			case 5: // another amount
				write(at, reference, scaleAmount+100)
			default:
				write(at, reference, scaleAmount)
			}
			amount, _ := hyperlocal.NewMoney(minor, "GBP")
			intents[i] = payment.Intent{
				ID: ids.NewID(), Tenant: "shop", Gateway: "stripe", Currency: "GBP", Attempts: 1, Version: 1, CreatedAt: at, UpdatedAt: at,
				Allocations: []payment.Allocation{{Owner: owner, Merchant: merchant, Amount: minor, Captured: minor}},
			}
			operations[i] = payment.Operation{
				ID: ids.NewID(), Tenant: "shop", Intent: intents[i].ID, Owner: owner, Verb: hyperlocal.VerbCharge, Amount: amount,
				Reference: "pay/1", Gateway: "stripe", Attempt: 1, Key: "intent/" + intents[i].ID + "/attempt/1/charge", Sent: true,
				Shares:  []payment.Share{{Owner: owner, Merchant: merchant, Amount: amount}},
				Outcome: hyperlocal.OutcomeSucceeded, Provider: reference, Actor: actor, At: at, CreatedAt: at, BegunAt: at, UpdatedAt: at, Version: 1,
			}
			postings[i] = hyperlocal.Posting{
				Tenant: "shop", Reference: "capture/" + operations[i].ID, Kind: "capture", Subject: owner, Effective: at, Actor: actor,
				Entries: []hyperlocal.Entry{hyperlocal.Debit("clearing/stripe", amount), hyperlocal.Credit("sales/m1", amount)},
			}
		}
		write(day.Add(22*time.Hour), fmt.Sprintf("pi_unknown_%d", h), scaleAmount)
		err := s.WithinTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(s.Payments().SaveIntents(ctx, intents), s.Payments().InsertOperations(ctx, operations), books.Post(ctx, postings...))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// peakMemory returns how many bytes the process has held at most.
func peakMemory(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("peak memory is read from /proc")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
