package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/replay"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/retail"
)

type replayCommand struct {
	File     string `type:"path" help:"CSV file; without it a built-in sample is replayed." placeholder:"FILE"`
	DB       string `name:"db" help:"Database: memory:, sqlite::memory:, sqlite:PATH or postgres://...; a temporary SQLite file by default." placeholder:"DSN"`
	Clients  int    `default:"4" help:"How many customers are served at a time."`
	Currency string `default:"GBP" help:"Currency of the prices in the file." placeholder:"CODE"`
	JSON     bool   `name:"json" help:"Print the report as JSON."`
}

var errNotClean = errors.New("the books do not agree; the report names what is violated")

// Run replays and prints the report.
func (c *replayCommand) Run(ctx context.Context, con *console) error {
	if c.Clients < 1 || c.Clients > 1000 {
		return usage(errors.New("--clients takes a number from 1 to 1000"))
	}
	currency, err := hyperlocal.ParseCurrency(c.Currency)
	if err != nil {
		return usage(fmt.Errorf("--currency: %w", err))
	}
	file, plan, err := c.read(currency)
	if err != nil {
		return err
	}
	dsn, remove, err := c.database()
	if err != nil {
		return err
	}
	defer remove()
	a, err := app.New(ctx, app.Config{DSN: dsn, Logger: con.quiet(), Policy: replay.Policy()})
	if err != nil {
		return err
	}
	report, err := c.replay(ctx, con, a, file, plan)
	if e := a.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(con.out)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		err = printReport(con.out, report)
	}
	if err == nil && !report.Clean() {
		err = errNotClean
	}
	return err
}

func (c *replayCommand) read(currency hyperlocal.Currency) (*retail.File, *retail.Plan, error) {
	var in io.Reader = bytes.NewReader(retail.Sample())
	if c.File != "" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		in = f
	}
	file, err := retail.Read(in, retail.Options{Currency: currency})
	if err != nil {
		return nil, nil, err
	}
	plan, err := retail.NewPlan(file)
	return file, plan, err
}

// database returns the DSN to use and what removes it afterwards.
func (c *replayCommand) database() (dsn string, remove func(), err error) {
	if c.DB != "" {
		return c.DB, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "hyperlocal-replay-")
	if err != nil {
		return "", nil, err
	}
	return "sqlite:" + filepath.Join(dir, "replay.db"), func() { _ = os.RemoveAll(dir) }, nil
}

// replay runs the App beside the replay and stops it afterwards.
func (c *replayCommand) replay(ctx context.Context, con *console, a *app.App, file *retail.File, plan *retail.Plan) (*replay.Report, error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- a.Run(running, func() { close(started) }) }()
	select {
	case <-started:
	case err := <-ended:
		return nil, err
	}
	bar := newBar(con.err)
	report, err := replay.Run(running, a, file, plan, replay.Options{Clients: c.Clients, Progress: bar.show})
	bar.clear()
	stop()
	return report, errors.Join(err, <-ended)
}

// bar is a progress bar on a terminal, and nothing elsewhere.
type bar struct {
	out  io.Writer // nil when silent
	mu   sync.Mutex
	last time.Time
	max  int
}

const barWidth = 40

func newBar(w io.Writer) *bar {
	f, ok := w.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return &bar{}
	}
	return &bar{out: f}
}

func (b *bar) show(done, total int) {
	if b.out == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if done < b.max || (done < total && hyperlocal.Since(b.last) < 50*time.Millisecond) {
		return
	}
	b.last, b.max = hyperlocal.Stopwatch(), done
	full := barWidth * done / max(total, 1)
	fmt.Fprintf(b.out, "\r[%s%s] %d of %d documents", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done, total)
}

func (b *bar) clear() {
	if b.out != nil {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

// shownRows is how many rejected rows, notes and conflicts a person is shown; JSON has all.
const shownRows = 20

func printReport(out io.Writer, r *replay.Report) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, row := range []struct {
		name  string
		value any
	}{
		{"orders", r.Orders},
		{"credits", r.Credits},
		{"write-off lines", r.WriteOffLines},
		{"sales", r.Sales},
		{"credited", r.Credited},
		{"  to orders", r.RefundedToOrders},
		{"  in credit notes", r.CreditNotes},
		{"net", r.Net},
		{"points", r.Points},
		{"units left in stock", r.UnitsLeft},
		{"journal balanced", r.JournalBalanced},
		{"invariants violated", violated(r)},
		{"rejected rows", len(r.RejectedRows)},
		{"notes", len(r.Notes) + r.MoreNotes},
		{"conflicts", len(r.Conflicts)},
		{"elapsed", (time.Duration(r.ElapsedMS) * time.Millisecond).String()},
		{"orders per second", r.OrdersPerSecond},
	} {
		fmt.Fprintf(w, "%s\t%v\n", row.name, row.value)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printRows(out, "rejected", r.RejectedRows, len(r.RejectedRows))
	printRows(out, "note on", r.Notes, len(r.Notes)+r.MoreNotes)
	for i, c := range r.Conflicts {
		if i == shownRows {
			fmt.Fprintf(out, "... and %d more conflicts; --json shows all\n", len(r.Conflicts)-i)
			break
		}
		fmt.Fprintf(out, "conflict %s: it is there with other content (%s)\n", c.Reference, c.Reason)
	}
	return nil
}

func printRows(out io.Writer, what string, rows []replay.RejectedRow, all int) {
	for i, row := range rows {
		if i == shownRows {
			fmt.Fprintf(out, "... and %d more; --json shows them\n", all-i)
			return
		}
		fmt.Fprintf(out, "%s line %d: %s (%s)\n", what, row.Line, row.Text, row.Reason)
	}
}

func violated(r *replay.Report) string {
	names := ""
	bad := 0
	for _, name := range sortedInvariants(r.Invariants) {
		if n := r.Invariants[name]; n > 0 {
			bad++
			names += fmt.Sprintf(" %s=%d", name, n)
		}
	}
	return fmt.Sprintf("%d of %d%s", bad, len(r.Invariants), names)
}
