// Command genschema writes docs/schema.md: every table of the database, for SQLite and for
// PostgreSQL, as the migrations of adapters/bunstore make it.
//
// It is run by go generate in the root of the module and reads the text of the migrations,
// because the comments, which say what a table is for, are nowhere else. It understands the
// statements that the migrations use and refuses all others. The tests compare what it
// understood with databases that were migrated for real.
package main

import (
	"fmt"
	"os"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
)

const output = "docs/schema.md"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "genschema:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := page()
	if err != nil {
		return err
	}
	if err := os.WriteFile(output, text, 0o644); err != nil { //nolint:gosec // a page for everybody to read
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// page returns what is to be written.
func page() ([]byte, error) {
	lite, err := read(bunstore.Migrations(bunstore.SQLite))
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	pg, err := read(bunstore.Migrations(bunstore.Postgres))
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return render(lite, pg)
}
