package bunstore

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/failpoint"
)

//go:embed migrations
var migrations embed.FS

// Errors of migrations.
var (
	// ErrNewerSchema refuses to work on a database that a newer program has migrated.
	ErrNewerSchema = hyperlocal.NewError(hyperlocal.CodePrecondition, "store/newer_schema",
		"the database has been migrated by a newer program; run that one, or restore a backup made before")
	// ErrPendingSchema says that migrations are missing.
	ErrPendingSchema = hyperlocal.NewError(hyperlocal.CodePrecondition, "store/pending_schema",
		"the database lacks migrations; run Migrate")
	// ErrChangedMigration says that an applied migration is not the one this program holds.
	ErrChangedMigration = hyperlocal.NewError(hyperlocal.CodePrecondition, "store/changed_migration",
		"a migration was applied in another form than this program knows; released migrations are never edited")
)

// Migration is one step of the schema.
type Migration struct {
	Number int    // place in the order
	Name   string // such as "0001_core"
	// AppliedAt is when it was applied, zero while it is pending.
	AppliedAt time.Time
	// Unknown is set for a step that the database has and this program does not.
	Unknown bool

	text, sum string
}

// Migrations returns the migration files of a dialect, for hosts that apply them with a
// tool of their own: NNNN_name.sql, each to be run in one transaction. A line "--split"
// separates statements. Tables are named without a schema.
func Migrations(dialect Dialect) fs.FS {
	sub, err := fs.Sub(migrations, path.Join("migrations", string(dialect)))
	if err != nil {
		return embed.FS{}
	}
	return sub
}

// known reads the embedded migrations in order.
func known(dialect Dialect) ([]Migration, error) {
	files := Migrations(dialect)
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, internal("store/migrations", "the migrations cannot be read").WithCause(err)
	}
	var out []Migration
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".sql")
		if !ok {
			continue
		}
		digits, _, _ := strings.Cut(name, "_")
		number, err := strconv.Atoi(digits)
		if err != nil || number < 1 {
			return nil, internal("store/migrations", "migration "+e.Name()+" is not named NNNN_name.sql")
		}
		text, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return nil, internal("store/migrations", "the migrations cannot be read").WithCause(err)
		}
		sum := sha256.Sum256(text)
		out = append(out, Migration{Number: number, Name: name, text: string(text), sum: hex.EncodeToString(sum[:])})
	}
	slices.SortFunc(out, func(a, b Migration) int { return a.Number - b.Number })
	for i := range out[:max(len(out)-1, 0)] {
		if out[i].Number == out[i+1].Number {
			return nil, internal("store/migrations", "two migrations have the number "+strconv.Itoa(out[i].Number))
		}
	}
	return out, nil
}

// Migrate brings the schema up to what this program needs. Each migration runs in one
// transaction together with its entry in the journal (hc_migrations), so it can be run again
// after a kill at any moment, and by several processes at once. On PostgreSQL it creates the
// schema of [WithSchema], and a lock that others hold on a table for more than 5 s makes it
// try again a few times rather than stop all traffic behind it.
//
// Errors: [ErrNewerSchema], [ErrChangedMigration], unavailable.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.verify(ctx); err != nil {
		return err
	}
	if s.misplaced() {
		return errNested
	}
	all, err := known(s.dialect)
	if err != nil {
		return err
	}
	for attempt := 1; ; {
		more, err := s.step(ctx, all)
		switch {
		case err == nil && !more:
			return nil
		case err == nil:
			continue
		case attempt >= 5 || !errors.Is(err, hyperlocal.ErrTxRetry) && !errors.Is(err, errLockTimeout):
			return err
		}
		attempt++
		if err := s.pause(ctx, 5+attempt); err != nil {
			return err
		}
	}
}

// MigrationStatus lists all migrations in order: those of this program and those that only
// the database knows. It changes nothing.
func (s *Store) MigrationStatus(ctx context.Context) ([]Migration, error) {
	all, err := known(s.dialect)
	if err != nil {
		return nil, err
	}
	applied := make(map[int]Migration)
	read := func(rows row) error {
		var m Migration
		if err := rows.Scan(&m.Number, &m.Name, &m.sum, instant{&m.AppliedAt}); err != nil {
			return err
		}
		applied[m.Number] = m
		return nil
	}
	err = s.query(ctx, journalRead, nil, nil, read)
	if err != nil && !errors.Is(err, errNotMigrated) {
		return nil, err
	}
	for i := range all {
		if m, ok := applied[all[i].Number]; ok {
			all[i].AppliedAt = m.AppliedAt
			delete(applied, m.Number)
		}
	}
	for _, m := range applied {
		m.Unknown = true
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Migration) int { return a.Number - b.Number })
	return all, nil
}

// CheckSchema returns nil if the database has exactly the migrations of this program, else
// [ErrPendingSchema] or [ErrNewerSchema].
func (s *Store) CheckSchema(ctx context.Context) error {
	all, err := s.MigrationStatus(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Unknown {
			return ErrNewerSchema.With("migration", m.Name)
		}
	}
	for _, m := range all {
		if m.AppliedAt.IsZero() {
			return ErrPendingSchema.With("migration", m.Name)
		}
	}
	return nil
}

const (
	journalRead  = "SELECT number, name, sum, applied_at FROM hc_migrations ORDER BY number"
	journalTable = `CREATE TABLE IF NOT EXISTS hc_migrations (
		number integer NOT NULL PRIMARY KEY, name text NOT NULL, sum text NOT NULL,
		applied_at {pg timestamptz}{sqlite integer} NOT NULL)`
	journalWrite = "INSERT INTO hc_migrations (number, name, sum, applied_at) VALUES ($1, $2, $3, $4)"
)

// step applies the first pending migration; more tells that there may be others.
func (s *Store) step(ctx context.Context, all []Migration) (more bool, err error) {
	on, err := s.begin(ctx)
	if err != nil {
		return false, err
	}
	done := false
	defer func() {
		if !done {
			on.rollback(ctx)
		}
		on.release()
	}()
	if err := on.start(ctx); err != nil {
		return false, err
	}
	run := func(text string, args ...any) error {
		st, err := translate(text, nil, len(args), s.dialect, s.schema, formWhole)
		if err != nil {
			return err
		}
		s.sent(st.text)
		_, err = on.raw().ExecContext(ctx, st.text, st.values(args, nil, s.dialect)...)
		return s.classify(err)
	}
	if s.dialect == Postgres {
		if err := s.lockSchema(ctx, run, on); err != nil {
			return false, err
		}
	}
	if err := run(journalTable); err != nil {
		return false, err
	}
	m, found, err := s.pending(ctx, on, all)
	if err != nil {
		return false, err
	}
	if found {
		if err := s.apply(ctx, on, m); err != nil {
			return false, err
		}
		if err := run(journalWrite, m.Number, m.Name, m.sum, s.at(s.clock.Now())); err != nil {
			return false, err
		}
	}
	if err := on.commit(ctx); err != nil {
		return false, err
	}
	done = true
	return found, nil
}

// lockSchema makes migrating processes take turns, for as long as the transaction lasts.
func (s *Store) lockSchema(ctx context.Context, run func(string, ...any) error, on session) error {
	h := fnv.New64a()
	_, _ = h.Write([]byte("hyperlocal/migrate/" + s.schema))
	steps := []string{
		"SET LOCAL lock_timeout = 0",
		"SELECT pg_advisory_xact_lock(" + strconv.FormatInt(int64(h.Sum64()), 10) + ")",
		"SET LOCAL lock_timeout = '5s'",
		"SET LOCAL client_min_messages = 'warning'", // no notices about what exists already
	}
	for _, text := range steps {
		if err := run(text); err != nil {
			return err
		}
	}
	// CREATE SCHEMA IF NOT EXISTS would demand the right to create even where it exists.
	var exists bool
	err := on.raw().QueryRowContext(ctx, "SELECT to_regnamespace($1) IS NOT NULL", s.schema).Scan(&exists)
	if err != nil || exists {
		return s.classify(err)
	}
	return run(`CREATE SCHEMA "` + s.schema + `"`)
}

// pending compares the journal with what this program knows, and returns the first
// migration to apply.
func (s *Store) pending(ctx context.Context, on session, all []Migration) (m Migration, found bool, err error) {
	st, err := translate(journalRead, nil, 0, s.dialect, s.schema, formWhole)
	if err != nil {
		return m, false, err
	}
	rows, err := on.raw().QueryContext(ctx, st.text)
	if err != nil {
		return m, false, s.classify(err)
	}
	applied := make(map[int]string)
	err, _ = each(rows, func(rows row) error {
		var m Migration
		if err := rows.Scan(&m.Number, &m.Name, &m.sum, instant{&m.AppliedAt}); err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(k Migration) bool { return k.Number == m.Number })
		switch {
		case i < 0:
			return ErrNewerSchema.With("migration", m.Name)
		case all[i].sum != m.sum:
			return ErrChangedMigration.With("migration", m.Name)
		}
		applied[m.Number] = m.Name
		return nil
	})
	if err != nil {
		return m, false, s.classify(err)
	}
	for _, m := range all {
		if _, ok := applied[m.Number]; !ok {
			return m, true, nil
		}
	}
	return m, false, nil
}

// apply runs the statements of one migration. The failpoint migrate.mid is passed after each.
func (s *Store) apply(ctx context.Context, on session, m Migration) error {
	for i, text := range split(m.text) {
		text = qualify(text, s.schema)
		s.sent(text)
		if _, err := on.raw().ExecContext(ctx, text); err != nil {
			return fmt.Errorf("migration %s, statement %d: %w", m.Name, i+1, s.classify(err))
		}
		if err := failpoint.Hit(ctx, "migrate.mid"); err != nil {
			return err
		}
	}
	return nil
}

// split cuts a migration at the lines that begin with --split, so that bodies of functions
// and triggers keep their semicolons.
func split(text string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if strings.TrimSpace(b.String()) != "" {
			out = append(out, b.String())
		}
		b.Reset()
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "--split") {
			flush()
			continue
		}
		b.WriteString(line)
	}
	flush()
	return out
}
