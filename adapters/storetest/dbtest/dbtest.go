package dbtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	envPostgres = "HYPERLOCAL_TEST_POSTGRES"
	envRequire  = "HYPERLOCAL_REQUIRE"

	startTimeout   = 3 * time.Minute // includes the download of an image
	commandTimeout = 30 * time.Second
)

// errNone means that there is no server on this machine and no way to start one.
var errNone = errors.New("no PostgreSQL: set " + envPostgres + " to a postgres:// URL, " +
	"start Docker, or install the server (Debian: apt-get install postgresql)")

// current is the server of this process: found once, released by Main.
var current = struct {
	once    sync.Once
	dsn     string
	release func()
	err     error
}{release: func() {}}

// Main runs the tests of a package and stops the server that they started, unless another
// package's tests still use it. It returns the exit code for os.Exit.
// m is the *testing.M of TestMain, or a wrapper around it.
func Main(m interface{ Run() int }) int {
	defer func() { current.release() }()
	return m.Run()
}

// Require reports whether HYPERLOCAL_REQUIRE lists name, so that its absence has to fail a
// test instead of skipping it.
func Require(name string) bool {
	return slices.ContainsFunc(strings.Split(os.Getenv(envRequire), ","), func(s string) bool {
		return strings.TrimSpace(s) == name
	})
}

// Postgres returns the postgres:// URL of a new and empty database that belongs to tb alone.
// It is dropped when tb ends, along with the connections that are still open. Without a
// server the test is skipped, or fails if "postgres" is required.
func Postgres(tb testing.TB) string {
	tb.Helper()
	current.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout) //nolint:usetesting // outlives tb
		defer cancel()
		current.dsn, current.release, current.err = find(ctx, os.Getenv(envPostgres))
	})
	if current.err != nil {
		refuse(tb, current.err)
		return ""
	}
	return create(tb, current.dsn)
}

// SQLite returns "sqlite:" and the path of a file that does not exist yet, in a directory
// that goes away with tb.
func SQLite(tb testing.TB) string {
	tb.Helper()
	return "sqlite:" + filepath.Join(tb.TempDir(), "hyperlocal.db")
}

// refuse ends tb because there is no server: loudly, and with a failure where one was promised.
func refuse(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, errNone) && !Require("postgres") {
		tb.Skip("dbtest: " + strings.Join(strings.Fields(err.Error()), " ")) // on one line
	}
	tb.Fatal("dbtest: " + err.Error())
}

// find returns the URL of a server's maintenance database and how to give the server up.
func find(ctx context.Context, configured string) (string, func(), error) {
	if configured == "" {
		return share(ctx, shareDir(), start)
	}
	if u, err := url.Parse(configured); err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		return "", func() {}, fmt.Errorf("%s is not a postgres:// URL", envPostgres)
	}
	if err := run(ctx, configured, "SELECT 1"); err != nil {
		return "", func() {}, fmt.Errorf("%s: %w", envPostgres, err)
	}
	return configured, func() {}, nil
}

func create(tb testing.TB, admin string) string {
	tb.Helper()
	name := databaseName(tb.Name())
	// template0: nobody can be connected to it, so parallel tests never get in each other's way.
	if err := run(tb.Context(), admin, `CREATE DATABASE "`+name+`" TEMPLATE template0 ENCODING 'UTF8'`); err != nil {
		tb.Fatalf("dbtest: create database: %v", err)
	}
	tb.Cleanup(func() {
		// The context of tb is cancelled by now.
		if err := run(context.WithoutCancel(tb.Context()), admin, `DROP DATABASE "`+name+`" WITH (FORCE)`); err != nil {
			tb.Errorf("dbtest: drop database: %v", err)
		}
	})
	u, err := url.Parse(admin)
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// databaseName is the test's name, so that a stuck query in pg_stat_activity points at its
// test, with something random behind it. PostgreSQL cuts names at 63 bytes.
func databaseName(test string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(test))
	return "t_" + clean[:min(len(clean), 40)] + "_" + strings.ToLower(rand.Text()[:12])
}

// run executes one statement on a connection of its own.
func run(ctx context.Context, dsn, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
