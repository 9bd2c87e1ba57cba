package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// hostDB is a host's own database handle with a table of its own, and our store in another
// schema of the same database.
type hostDB struct {
	*sql.DB
	bun   *bun.DB
	store *Store
	rec   recorder
}

func openHost(t *testing.T, d Dialect) *hostDB {
	t.Helper()
	h := &hostDB{}
	dsn := dsnFor(t, d)
	h.store = openAt(t, dsn, WithSchema("shop"), WithQueryHook(h.rec.hook))
	var err error
	if d == Postgres {
		h.DB, err = sql.Open("pgx", dsn)
	} else {
		h.DB, err = sql.Open("sqlite", "file:"+strings.TrimPrefix(dsn, "sqlite:")+"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_txlock=immediate")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.DB.Close() })
	h.bun = bun.NewDB(h.DB, pgdialect.New())
	if d == SQLite {
		h.bun = bun.NewDB(h.DB, sqlitedialect.New())
	}
	if err := h.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	shelf(t, h.store)
	// A host's table may even have the name of one of ours.
	names := []string{"host_rows"}
	if d == Postgres {
		names = append(names, "hc_box")
	}
	for _, name := range names {
		if _, err := h.ExecContext(t.Context(), "CREATE TABLE "+name+" (id text PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
	}
	h.rec.take()
	return h
}

func (h *hostDB) count(t *testing.T) (rows int) {
	t.Helper()
	if err := h.QueryRowContext(t.Context(), "SELECT count(*) FROM host_rows").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// transactions opens a host transaction in both forms.
func (h *hostDB) transactions(t *testing.T, opts ...HostOption) map[string]func() (context.Context, *sql.Tx) {
	t.Helper()
	return map[string]func() (context.Context, *sql.Tx){
		"bun": func() (context.Context, *sql.Tx) {
			tx, err := h.bun.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return h.store.WithTx(t.Context(), tx, opts...), tx.Tx
		},
		"sql": func() (context.Context, *sql.Tx) {
			tx, err := h.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return h.store.WithSQLTx(t.Context(), tx, opts...), tx
		},
	}
}

func TestHostTransaction(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		h := openHost(t, d)
		s := h.store
		table := "hc_box"
		if d == Postgres {
			table = "shop.hc_box"
		}
		for form, begin := range h.transactions(t) {
			ctx, tx := begin()
			if !hyperlocal.InTx(ctx) {
				t.Errorf("%s: InTx is false in a host's transaction", form)
			}
			woken := false
			hyperlocal.AfterCommit(ctx, func() { woken = true })
			if _, err := tx.ExecContext(ctx, "INSERT INTO host_rows VALUES ('"+form+"')"); err != nil {
				t.Fatal(err)
			}
			h.rec.take()
			err := s.WithinTx(ctx, func(ctx context.Context) error {
				if !hyperlocal.InTx(ctx) {
					t.Error("InTx is false in a closure")
				}
				if hyperlocal.TxFrom(ctx).AfterCommit(func() { woken = true }) {
					t.Error("AfterCommit claims to see the host's commit")
				}
				return s.enqueue(ctx, addBoxes(form+"1", form+"2"))
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := h.rec.take(); !slices.Equal(got, []string{"SAVEPOINT", "INSERT", "RELEASE"}) {
				t.Errorf("%s: sent %q", form, got)
			}
			// The host's next SELECT sees our rows, others do not.
			var ours int
			if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+table+" WHERE id LIKE '"+form+"%'").Scan(&ours); err != nil || ours != 2 {
				t.Errorf("%s: the host sees %d of our rows, %v", form, ours, err)
			}
			if got := sizes(t, s, ctx); !strings.Contains(got, form+"1") {
				t.Errorf("%s: our own read in the host's transaction sees %q", form, got)
			}
			if got := sizes(t, s, t.Context()); strings.Contains(got, form+"1") {
				t.Errorf("%s: a read outside sees %q", form, got)
			}
			// A write outside any closure of ours is sent at once.
			if err := s.enqueue(ctx, addBoxes(form+"3")); err != nil {
				t.Fatal(err)
			}
			if err := s.lock(ctx, hyperlocal.RankStock); err != nil {
				t.Error(err)
			}
			err = tx.Commit()
			if err != nil || woken {
				t.Errorf("%s: commit: %v, woken: %v", form, err, woken)
			}
			if got := sizes(t, s, t.Context()); strings.Count(got, form) != 3 {
				t.Errorf("%s: after the commit the boxes are %q", form, got)
			}
			if err := s.WithinTx(ctx, func(ctx context.Context) error { return s.enqueue(ctx, addBoxes("late")) }); hyperlocal.ReasonOf(err) != "tx/finished" {
				t.Errorf("%s: a call after the host's commit: %v", form, err)
			}

			before := h.count(t)
			ctx, tx = begin()
			if err := s.WithinTx(ctx, func(ctx context.Context) error { return s.enqueue(ctx, addBoxes(form+"4")) }); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO host_rows VALUES ('gone')"); err != nil {
				t.Fatal(err)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if got := sizes(t, s, t.Context()); strings.Count(got, form) != 3 || h.count(t) != before {
				t.Errorf("%s: after a rollback the boxes are %q, the host has %d rows", form, got, h.count(t))
			}
		}
	})
}

func TestHostSwallowsAnError(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		h := openHost(t, d)
		s := h.store
		refused := errors.New("refused")
		for form, begin := range h.transactions(t) {
			ctx, tx := begin()
			if _, err := tx.ExecContext(ctx, "INSERT INTO host_rows VALUES ('"+form+"')"); err != nil {
				t.Fatal(err)
			}
			calls := map[string]func() error{
				"refused by a rule, nothing sent": func() error {
					return s.WithinTx(ctx, func(ctx context.Context) error { return errors.Join(s.enqueue(ctx, addBoxes("a")), refused) })
				},
				"refused by a rule, half of it sent": func() error {
					return s.WithinTx(ctx, func(ctx context.Context) error {
						return errors.Join(s.enqueue(ctx, addBoxes("b")), s.flush(ctx), s.enqueue(ctx, addBoxes("c")), refused)
					})
				},
				"refused by the database": func() error { return within(s, ctx, addBoxes("d"), addBoxes("e", "e")) },
				"panicked": func() (err error) {
					defer func() { err = recover().(error) }()
					return s.WithinTx(ctx, func(ctx context.Context) error {
						panic(errors.Join(s.enqueue(ctx, addBoxes("f")), s.flush(ctx), refused))
					})
				},
				"cancelled": func() error {
					ctx, cancel := context.WithCancel(ctx)
					return s.WithinTx(ctx, func(ctx context.Context) error {
						defer cancel()
						return errors.Join(s.enqueue(ctx, addBoxes("g")), s.flush(ctx))
					})
				},
				"nested with the host's ctx": func() error {
					return s.WithinTx(ctx, func(context.Context) error { return within(s, ctx, addBoxes("h")) })
				},
				"read with the host's ctx": func() error {
					return s.WithinTx(ctx, func(context.Context) error { return s.query(ctx, "SELECT 1", nil, nil, nil) })
				},
			}
			for name, call := range calls {
				if err := call(); err == nil {
					t.Errorf("%s, %s: no error", form, name)
				}
			}
			if err := within(s, ctx, addBoxes(form)); err != nil {
				t.Errorf("%s: the host's transaction is not as it was: %v", form, err)
			}
			if err := tx.Commit(); err != nil {
				t.Errorf("%s: %v", form, err)
			}
		}
		if got := sizes(t, s, t.Context()); got != "bun=3 sql=3" || h.count(t) != 2 {
			t.Errorf("the boxes are %q, the host has %d rows", got, h.count(t))
		}
	})
}

func TestHostWithoutSavepoint(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		h := openHost(t, d)
		s := h.store
		for form, begin := range h.transactions(t, WithoutSavepoint()) {
			ctx, tx := begin()
			h.rec.take()
			if err := within(s, ctx, addBoxes(form)); err != nil {
				t.Fatal(err)
			}
			if got := h.rec.take(); !slices.Equal(got, []string{"INSERT"}) {
				t.Errorf("%s: sent %q", form, got)
			}
			if err := within(s, ctx, addBoxes(form)); !errors.Is(err, errBox) {
				t.Errorf("%s: %v", form, err)
			}
			for _, err := range []error{
				within(s, ctx, addBoxes("other")), s.query(ctx, "SELECT 1", nil, nil, nil),
				s.db(ctx).NewRaw("SELECT 1").Scan(ctx, new(int)),
			} {
				if hyperlocal.ReasonOf(err) != "tx/host_must_roll_back" {
					t.Errorf("%s: after an error: %v", form, err)
				}
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
		if got := sizes(t, s, t.Context()); got != "" {
			t.Errorf("the boxes are %q", got)
		}
	})
}

func TestHostTransactionHasFailedAlready(t *testing.T) {
	t.Parallel()
	h := openHost(t, Postgres)
	ctx, tx := h.transactions(t)["sql"]()
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT nonsense"); err == nil {
		t.Fatal("nonsense succeeded")
	}
	if err := within(h.store, ctx, addBoxes("a")); hyperlocal.ReasonOf(err) != "tx/host_must_roll_back" {
		t.Errorf("got %v", err)
	}
}

// Only the host can run everything again.
func TestHostConflictIsTheHosts(t *testing.T) {
	t.Parallel()
	h := openHost(t, Postgres)
	s := h.store
	if err := within(s, t.Context(), addBoxes("a")); err != nil {
		t.Fatal(err)
	}
	tx, err := h.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	ctx := s.WithSQLTx(t.Context(), tx)
	sizes(t, s, ctx) // takes its snapshot
	if err := within(s, t.Context(), fill(1, "a")); err != nil {
		t.Fatal(err)
	}
	runs := 0
	err = s.WithinTx(ctx, func(ctx context.Context) error {
		runs++
		if err := s.enqueue(ctx, fill(1, "a")); err != nil {
			return err
		}
		return errors.Join(errors.New("hidden: "), hide(s.flush(ctx)))
	})
	if !errors.Is(err, hyperlocal.ErrTxRetry) || runs != 1 {
		t.Errorf("after %d runs: %v", runs, err)
	}
}

// hide loses the kind of an error, as careless code does.
func hide(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.Error())
}

func TestHostCallsTakeTurns(t *testing.T) {
	t.Parallel()
	h := openHost(t, Postgres)
	ctx, tx := h.transactions(t)["bun"]()
	failed := make(chan error)
	for i := range 8 {
		go func() {
			name := string(rune('a' + i))
			err := within(h.store, ctx, addBoxes(name))
			if err == nil && i%2 == 0 {
				err = within(h.store, ctx, addBoxes(name+"x"), addBoxes(name))
				if errors.Is(err, errBox) {
					err = nil
				}
			}
			failed <- err
		}()
	}
	for range 8 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := sizes(t, h.store, t.Context()); strings.Count(got, "=") != 8 {
		t.Errorf("the boxes are %q", got)
	}
}

// A host may hand its own pool to New, and work on SQLite through one connection.
func TestNewOverAHostsPool(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (*sql.DB, Dialect){
		"postgres": func(t *testing.T) (*sql.DB, Dialect) {
			t.Helper()
			db, err := sql.Open("pgx", dsnFor(t, Postgres))
			if err != nil {
				t.Fatal(err)
			}
			return db, Postgres
		},
		"sqlite": func(t *testing.T) (*sql.DB, Dialect) {
			t.Helper()
			db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(dsnFor(t, SQLite), "sqlite:")+
				"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
			if err != nil {
				t.Fatal(err)
			}
			return db, SQLite
		},
		"sqlite, one connection": func(t *testing.T) (*sql.DB, Dialect) {
			t.Helper()
			db, err := sql.Open("sqlite", ":memory:")
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1)
			return db, SQLite
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, d := open(t)
			t.Cleanup(func() { _ = db.Close() })
			s, err := New(db, d, WithRankCheck())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			shelf(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := within(s, ctx, addBoxes("a")); err != nil {
				t.Fatal(err)
			}
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := within(s, s.WithSQLTx(ctx, tx), addBoxes("b")); err != nil {
				t.Error(err)
			}
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
			if got := sizes(t, s, ctx); got != "a=3 b=3" {
				t.Errorf("the boxes are %q", got)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := db.PingContext(ctx); err != nil {
				t.Errorf("Close closed the host's pool: %v", err)
			}
		})
	}
	if _, err := New(nil, Postgres); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("New without a pool: %v", err)
	}
	if _, err := New(stdlib.OpenDB(*mustConfig(t)), "oracle"); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("New with an unknown dialect: %v", err)
	}
	if _, err := New(stdlib.OpenDB(*mustConfig(t)), Postgres, WithSchema(`a"b`)); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("New with a bad schema: %v", err)
	}
}
