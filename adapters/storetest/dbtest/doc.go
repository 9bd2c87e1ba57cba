// Package dbtest gives tests a database of their own.
//
// It is called by the tests of every package that stores something and by nothing else;
// the import-border test of this module sees to that. A package that uses it says so once:
//
//	func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }
//
//	func TestStore(t *testing.T) {
//		for _, dsn := range []string{dbtest.SQLite(t), dbtest.Postgres(t)} {
//			// open dsn, migrate, test
//		}
//	}
//
// # Where PostgreSQL comes from
//
// The server is found once per process, the first of:
//
//  1. the URL in HYPERLOCAL_TEST_POSTGRES, whose user may create databases; a server that is
//     named there and does not answer is a failure, never a reason to look further;
//  2. a postgres:15 container, where a Docker engine is healthy;
//  3. the postgres and initdb binaries of this machine, in PATH or below /usr/lib/postgresql,
//     on a temporary directory and a free loopback port (root starts them as user postgres);
//  4. none: the test is skipped with one line that says what to install, or fails when
//     HYPERLOCAL_REQUIRE, a comma-separated list, contains "postgres".
//
// A server that this package starts takes 300 connections and is otherwise as its packager
// configured it, so fsync is on. The test processes of one "go test" run share it: each holds
// a file lock while it lives, and the last one to end stops the server. A process that is
// killed loses its lock like any other, and a keeper that waits for the locks stops the server
// then, so nothing stays behind. Where flock(1) is missing each process starts a server of its
// own and Main stops it.
//
// The package never touches a database that it did not create, never reuses one, and never
// falls back from PostgreSQL to something else without saying so.
package dbtest
