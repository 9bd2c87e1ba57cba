package bunstore

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

// Migrating takes several times as long as copying what has been migrated, so each schema is
// migrated once per process, into a database that the others are copied from.
var templates = struct {
	sync.Mutex
	server *url.URL          // with the name of no database
	names  map[string]string // by schema
}{names: make(map[string]string)}

// withTemplates drops the templates when the tests are over, while the server still runs.
type withTemplates struct{ m *testing.M }

func (w withTemplates) Run() int {
	defer func() {
		for _, name := range templates.names {
			_ = administer(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)")
		}
	}()
	return w.m.Run()
}

// cloneTemplate returns the URL of a migrated PostgreSQL database that belongs to tb alone.
func cloneTemplate(tb testing.TB, opts []Option) string {
	tb.Helper()
	made, err := newStore(Postgres, opts)
	if err != nil {
		tb.Fatal(err)
	}
	template := templateFor(tb, made.schema)
	name := databaseName("test")
	if err := administer(tb.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = administer(context.WithoutCancel(tb.Context()), "DROP DATABASE "+name+" WITH (FORCE)") })
	return templates.server.JoinPath(name).String()
}

func templateFor(tb testing.TB, schema string) string {
	tb.Helper()
	templates.Lock()
	defer templates.Unlock()
	if name := templates.names[schema]; name != "" {
		return name
	}
	server, err := url.Parse(dbtest.Postgres(tb))
	if err != nil {
		tb.Fatal(err)
	}
	server.Path = ""
	templates.server = server
	name := databaseName("template")
	if err := administer(tb.Context(), "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	s, err := Open(tb.Context(), server.JoinPath(name).String(), WithSchema(schema), WithPool(1))
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	templates.names[schema] = name
	return name
}

func databaseName(kind string) string {
	return "hc_" + kind + "_" + strings.ReplaceAll(hyperlocal.RandomIDs{}.NewID(), "-", "")
}

func administer(ctx context.Context, text string) error {
	c, err := pgx.Connect(ctx, templates.server.JoinPath("postgres").String())
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, text)
	return err
}
