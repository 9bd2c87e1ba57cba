package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
)

type verifyCommand struct {
	DB   string `name:"db" default:"${db}" help:"Database: sqlite:PATH or postgres://..." placeholder:"DSN"`
	JSON bool   `name:"json" help:"Print the result as JSON."`
}

// Run checks a database and fails with exit code 1 on violations, 2 if it cannot look.
func (c *verifyCommand) Run(ctx context.Context, con *console) error {
	report, err := c.look(ctx)
	if err != nil {
		return exit{code: exitCannot, err: err}
	}
	if c.JSON {
		enc := json.NewEncoder(con.out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(report); err != nil {
			return exit{code: exitCannot, err: err}
		}
	} else {
		printAudit(con, report)
	}
	if n := report.Violations(); n > 0 {
		return exit{code: exitFailed, err: fmt.Errorf("%d violations; each is named above", n)}
	}
	return nil
}

func (c *verifyCommand) look(ctx context.Context) (audit.Report, error) {
	db, err := app.Inspect(ctx, c.DB)
	if err != nil {
		return audit.Report{}, err
	}
	defer db.Close()
	if err := db.SQL.CheckSchema(ctx); errors.Is(err, bunstore.ErrPendingSchema) {
		return audit.Report{}, fmt.Errorf("the database lacks migrations; run refserver migrate up --db %s", redact(c.DB))
	} else if err != nil {
		return audit.Report{}, err
	}
	return audit.Run(ctx, db.Audit)
}

func printAudit(con *console, r audit.Report) {
	for _, inv := range r.Invariants {
		mark := "ok"
		if inv.Violations > 0 {
			mark = fmt.Sprintf("%d VIOLATED", inv.Violations)
		}
		fmt.Fprintf(con.out, "%-44s %s\n", inv.Name, mark)
		for _, s := range inv.Samples {
			fmt.Fprintf(con.out, "    %s\n", s)
		}
	}
}
