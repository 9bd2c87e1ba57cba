package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply what is missing. Safe to repeat and to run twice at a time."`
	Status migrateStatus `cmd:"" help:"Show which migrations are applied. It never writes."`
}

type migrateUp struct {
	DB string `name:"db" default:"${db}" help:"Database: sqlite:PATH or postgres://..." placeholder:"DSN"`
}

var errNoSchema = errors.New("a database in memory has no schema to migrate; name a file or a server with --db")

// Run migrates and shows the result.
func (c *migrateUp) Run(ctx context.Context, con *console) error {
	if app.InMemory(c.DB) {
		return usage(errNoSchema)
	}
	db, err := app.OpenDatabase(ctx, c.DB)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	return printStatus(ctx, con, db)
}

type migrateStatus struct {
	DB string `name:"db" default:"${db}" help:"Database: sqlite:PATH or postgres://..." placeholder:"DSN"`
}

// Run shows the migrations without applying any. It fails with exit code 1 on a database that
// a newer program has migrated, 2 if it cannot look.
func (c *migrateStatus) Run(ctx context.Context, con *console) error {
	if app.InMemory(c.DB) {
		return usage(errNoSchema)
	}
	db, err := app.Inspect(ctx, c.DB)
	if err != nil {
		return exit{code: exitCannot, err: err}
	}
	defer db.Close()
	return printStatus(ctx, con, db)
}

func printStatus(ctx context.Context, con *console, db *app.Database) error {
	all, err := db.SQL.MigrationStatus(ctx)
	if err != nil {
		return exit{code: exitCannot, err: err}
	}
	var newer error
	for _, m := range all {
		state := "pending"
		if !m.AppliedAt.IsZero() {
			state = m.AppliedAt.Format("2006-01-02 15:04:05")
		}
		if m.Unknown {
			state += "  unknown to this program"
			newer = bunstore.ErrNewerSchema.With("migration", m.Name)
		}
		fmt.Fprintf(con.out, "%-20s %s\n", m.Name, state)
	}
	return newer
}
