// Command refserver is a complete shop server made of the SDK's parts, and the tools that go
// with it.
//
//	refserver                  serve HTTP on an embedded database
//	refserver replay           run real trade through the whole pipeline
//	refserver verify           check every invariant of a database
//	refserver migrate up       bring a database to this version
//	refserver bench place      measure placements beside the raw limit of the database; also hot,
//	                           post, relay, read, http, flow, growth
//
// See the folder's README for each.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // the time zones of orders are known wherever this runs

	"github.com/alecthomas/kong"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// A server of this size has a heap of some ten megabytes. Collecting it whenever it has doubled
// costs a third of the processor under load; five times as much is still little, and near the
// limit the collector works harder. GOGC and GOMEMLIMIT go before.
const (
	heapGrowth  = 400
	memoryLimit = 200 << 20
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1 // also: verify found violations
	exitCannot   = 2 // verify and migrate status could not look; wrong usage
	exitAborted  = 130
	defaultStore = "sqlite:./hyperlocal.db"
)

// commands is the command line.
type commands struct {
	Serve   serveCommand   `cmd:"" default:"withargs" help:"Serve the HTTP API (the default)."`
	Replay  replayCommand  `cmd:"" help:"Run a file of real trade, or a built-in sample, through the whole pipeline."`
	Verify  verifyCommand  `cmd:"" help:"Check every invariant of a database. It never writes."`
	Migrate migrateCommand `cmd:"" help:"Bring a database to this version, or show where it is."`
	Bench   benchCommand   `cmd:"" help:"Measure beside the raw limit of the same database in the same run."`
}

// console is where a command prints.
type console struct {
	out, err io.Writer
}

// exit is an error that carries the exit code.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string { return e.err.Error() }
func (e exit) Unwrap() error { return e.err }

// usage is an error of whoever typed the command.
func usage(err error) error { return exit{code: exitCannot, err: err} }

func run(args []string, out, errOut io.Writer) int {
	var cmd commands
	code, exited := 0, false
	parser, err := kong.New(&cmd,
		kong.Name("refserver"),
		kong.Description("A neighbourhood's shops on one embedded database, made of the hyperlocal SDK."),
		kong.Writers(out, errOut),
		kong.Exit(func(c int) { code, exited = c, true }),
		kong.UsageOnError(),
		kong.Vars{"db": defaultStore},
	)
	if err != nil {
		fmt.Fprintln(errOut, "refserver:", err)
		return exitCannot
	}
	parsed, err := parser.Parse(args)
	if exited { // --help
		return code
	}
	if err != nil {
		fmt.Fprintf(errOut, "refserver: %v; refserver --help shows what there is\n", err)
		return exitCannot
	}
	ctx, stop := interruptible()
	defer stop()
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(&console{out: out, err: errOut})
	if err == nil {
		return exitOK
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Fprintln(errOut, "refserver: interrupted")
		return exitAborted
	}
	fmt.Fprintln(errOut, "refserver:", oneLine(err))
	if e, ok := errors.AsType[exit](err); ok {
		return e.code
	}
	if hyperlocal.ReasonOf(err) == "store/dsn" {
		return exitCannot // --db is wrong
	}
	return exitFailed
}

// interruptible returns a context that ends with the first SIGINT or SIGTERM. The second one
// ends the process at once.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // the root of the process
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(exitAborted)
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}

// oneLine says what went wrong and what to do, without the chain of causes that a log shows.
func oneLine(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*hyperlocal.Error](err); ok && e.Message != "" {
		text = e.Message
		if prefix, _, found := strings.Cut(err.Error(), e.Error()); found && prefix != "" {
			text = prefix + text
		}
		for _, name := range sortedFields(e.Fields) {
			text += fmt.Sprintf(" (%s: %s)", name, e.Fields[name])
		}
		if e.Cause != nil {
			text += ": " + e.Cause.Error()
		}
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "\n", "; ")), " ")
}

// quiet returns a logger that shows warnings and worse on the console.
func (c *console) quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
