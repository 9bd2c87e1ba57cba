package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
)

type serveCommand struct {
	Addr string `default:"127.0.0.1:8080" help:"Where to listen; port 0 takes a free one." placeholder:"HOST:PORT"`
	DB   string `name:"db" default:"${db}" help:"Database: sqlite:PATH, sqlite::memory:, memory: or postgres://..." placeholder:"DSN"`
	Seed bool   `default:"true" negatable:"" help:"Fill an empty database with a small neighbourhood."`
	Log  string `default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: debug, info, warn or error."`

	Intake bool `default:"true" negatable:"" help:"Commit what is asked for at the same moment together."`

	GatewayTimeout time.Duration `default:"10s" help:"How long a payment gateway may take to answer; afterwards the outcome counts as unknown and is looked up."`
	DrainDelay     time.Duration `default:"1s" help:"How long requests are still taken after /readyz has begun to fail on the way out."`
	CacheRedis     string        `help:"A Redis in which several servers share their cached answers, such as redis://localhost:6379/0; each keeps its own if left out." placeholder:"URL"`

	KeepKeys time.Duration `default:"72h" help:"How long idempotency keys are remembered, at least 24h."`
}

// leastKeys is how long clients may rely on their idempotency keys.
const leastKeys = 24 * time.Hour

// check refuses flags that make no sense.
func (c *serveCommand) check() error {
	if err := app.CheckGatewayTimeout(c.GatewayTimeout); err != nil {
		return fmt.Errorf("--gateway-timeout: %w", err)
	}
	if c.DrainDelay < 0 {
		return errors.New("--drain-delay takes no negative time")
	}
	if c.KeepKeys < leastKeys {
		return fmt.Errorf("--keep-keys takes at least %s, which clients rely on", leastKeys)
	}
	return nil
}

// Run serves until it is interrupted.
func (c *serveCommand) Run(ctx context.Context, con *console) error {
	if err := c.check(); err != nil {
		return usage(err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(con.err, &slog.HandlerOptions{Level: level}))
	a, err := app.New(ctx, app.Config{
		DSN: c.DB, Addr: c.Addr, Seed: c.Seed, Logger: log,
		NoIntake:       !c.Intake,
		GatewayTimeout: c.GatewayTimeout, DrainDelay: c.DrainDelay, KeepKeys: c.KeepKeys, CacheRedis: c.CacheRedis,
	})
	if err != nil {
		return err
	}
	err = a.Run(ctx, func() {
		base := "http://" + a.Addr()
		fmt.Fprintf(con.out, `hyperlocal reference server, %s

  API       %s/v1
  OpenAPI   %s/docs
  health    %s/healthz   %s/readyz

  shopper   %s
  merchant  %s
  admin     %s

Send a key as "Authorization: Bearer <key>". Ctrl-C stops.
`, redact(c.DB), base, base, base, base, a.Keys.Shopper, a.Keys.Merchant, a.Keys.Admin)
	})
	if e := a.Close(); err == nil {
		err = e
	}
	return err
}

func sortedFields(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func sortedInvariants(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
