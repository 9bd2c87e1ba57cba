package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/bench"
)

type benchCommand struct {
	Place  benchPlace  `cmd:"" help:"Place orders of two lines."                                                            set:"skus=10000"`
	Hot    benchHot    `cmd:"" help:"Place orders that all want one item; or a rush of many buyers for a few units."        set:"skus=1"`
	Post   benchPost   `cmd:"" help:"Post transfers to the ledger."                                                         set:"skus=10000"`
	Relay  benchRelay  `cmd:"" help:"Carry events from the outbox through the bus to a handler: a backlog, then a stream."  set:"skus=10000"`
	Read   benchRead   `cmd:"" help:"Read products through the services."                                                   set:"skus=10000"`
	HTTP   benchHTTP   `cmd:"" help:"Read products over HTTP, beside a bare net/http server."                               set:"skus=10000" name:"http"`
	Flow   benchFlow   `cmd:"" help:"Place, pay and accept orders over HTTP on the whole server."                           set:"skus=10000"`
	Growth benchGrowth `cmd:"" help:"Place orders beside few and beside many stored ones, in turns. PostgreSQL only."       set:"skus=10000"`
	Client benchClient `cmd:"" help:"The clients of http and flow, which start it." hidden:""`
}

// benchFlags are what every measurement takes.
type benchFlags struct {
	DB         string        `name:"db" default:"sqlite:" help:"sqlite:PATH (a new file beside it), sqlite: (a temporary file) or postgres://..." placeholder:"DSN"`
	Clients    int           `default:"32" help:"How many work at a time."`
	Skus       int           `default:"${skus}" help:"How many items, accounts or products are drawn from; 1 is one hot item."`
	Intake     bool          `help:"Gather concurrent calls of ours and commit them together."`
	Duration   time.Duration `default:"10s" help:"Of each measurement, after a fifth of it to warm up."`
	JSON       bool          `name:"json" help:"Print the result as JSON; what does not apply is null."`
	CPUProfile string        `name:"cpuprofile" help:"Write a CPU profile of what is measured of ours." placeholder:"FILE"`
}

func (f *benchFlags) options(con *console) bench.Options {
	return bench.Options{
		DSN: f.DB, Clients: f.Clients, Items: f.Skus, Intake: f.Intake, Duration: f.Duration, Profile: f.CPUProfile, Logger: con.quiet(),
		Progress: func(report string) { fmt.Fprintln(con.err, "bench:", report) },
	}
}

// print shows a result, also one that comes with an error.
func (f *benchFlags) print(con *console, r *bench.Result, err error) error {
	if r != nil {
		if e := f.show(con, r); err == nil {
			err = e
		}
	}
	if errors.Is(err, bench.ErrOptions) {
		return usage(err)
	}
	return err
}

func (f *benchFlags) show(con *console, r *bench.Result) error {
	if !f.JSON {
		return r.Print(con.out)
	}
	enc := json.NewEncoder(con.out)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

type benchPlace struct{ benchFlags }

// Run measures and prints.
func (c *benchPlace) Run(ctx context.Context, con *console) error {
	r, err := bench.Place(ctx, c.options(con))
	return c.print(con, r, err)
}

type benchHot struct {
	benchFlags
	Buyers int `default:"0" help:"A rush: how many want one unit each, all at once; 0 for none."`
	Units  int `default:"0" help:"How many units a rush is for."`
}

// Run measures and prints.
func (c *benchHot) Run(ctx context.Context, con *console) error {
	o := c.options(con)
	o.Buyers, o.Units = c.Buyers, c.Units
	r, err := bench.Hot(ctx, o)
	return c.print(con, r, err)
}

type benchPost struct {
	benchFlags
	Batch   int  `default:"100" help:"How many transfers are committed together."`
	Bounded bool `help:"Between accounts that may not be overdrawn, whose rows are locked."`
}

// Run measures and prints.
func (c *benchPost) Run(ctx context.Context, con *console) error {
	o := c.options(con)
	o.Batch, o.Bounded = c.Batch, c.Bounded
	r, err := bench.Post(ctx, o)
	return c.print(con, r, err)
}

type benchRelay struct {
	benchFlags
	Events int  `default:"20000" help:"How many events the backlog has."`
	Rate   int  `default:"500" help:"How many events a second the stream has."`
	Single bool `help:"Handle each event in a transaction of its own, not in batches."`
}

// Run measures and prints.
func (c *benchRelay) Run(ctx context.Context, con *console) error {
	o := c.options(con)
	o.Events, o.Rate, o.Single = c.Events, c.Rate, c.Single
	r, err := bench.Relay(ctx, o)
	return c.print(con, r, err)
}

type benchRead struct{ benchFlags }

// Run measures and prints.
func (c *benchRead) Run(ctx context.Context, con *console) error {
	r, err := bench.Read(ctx, c.options(con))
	return c.print(con, r, err)
}

type benchHTTP struct{ benchFlags }

// Run measures and prints.
func (c *benchHTTP) Run(ctx context.Context, con *console) error {
	r, err := bench.HTTP(ctx, c.options(con))
	return c.print(con, r, err)
}

type benchFlow struct{ benchFlags }

// Run measures and prints.
func (c *benchFlow) Run(ctx context.Context, con *console) error {
	r, err := bench.Flow(ctx, c.options(con))
	return c.print(con, r, err)
}

type benchGrowth struct {
	benchFlags
	From int `default:"5000" help:"How many orders are stored at first."`
	To   int `default:"1000000" help:"How many orders are stored in the end."`
}

// Run measures and prints.
func (c *benchGrowth) Run(ctx context.Context, con *console) error {
	o := c.options(con)
	o.From, o.To = c.From, c.To
	r, err := bench.Growth(ctx, o)
	return c.print(con, r, err)
}

type benchClient struct{}

// Run does what it is told on its standard input.
func (c *benchClient) Run(ctx context.Context) error { return bench.Client(ctx, os.Stdin, os.Stdout) }
