package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

const want = `after a sql.Tx that commits: 1 visits, 1 orders
after a sql.Tx that rolls back: 1 visits, 1 orders
after a bun.Tx that commits: 2 visits, 2 orders
after a bun.Tx that rolls back: 2 visits, 2 orders
`

func TestHostTransaction(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]func() string{
		"sqlite":   func() string { return "" },
		"postgres": func() string { return dbtest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := run(t.Context(), dsn(), &out); err != nil {
				t.Fatal(err)
			}
			if out.String() != want {
				t.Fatalf("printed\n%s\nwant\n%s", &out, want)
			}
		})
	}
}
