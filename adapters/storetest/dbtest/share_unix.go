//go:build unix

package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/testcontainers/testcontainers-go"
)

// A shared server lives in a directory of four files:
//
//	gate   locked by whoever starts or stops the server
//	users  locked, shared, by every process that uses it
//	dsn    its URL; exists while the server runs
//	stop   a shell script that stops it and removes the directory
//
// Locks are taken in this order, and the kernel drops those of a process that dies.
const (
	// retire stops the server if nobody uses it. The keeper holds users for an instant when it
	// wakes up, so a short wait saves us from taking it for another user.
	retire = `flock gate flock --timeout 0.2 users sh ./stop`
	// keep does so as soon as the last user is gone, however it went.
	keep = `while [ -e dsn ]; do flock users true; ` + retire + `; done`
)

// shareDir is the same for all test processes of one "go test" run, and for no others: the
// library's reaper removes a container once the run that started it has ended.
func shareDir() string {
	session := testcontainers.SessionID()
	return filepath.Join(os.TempDir(), "hyperlocal-dbtest-"+strconv.Itoa(os.Getuid())+"-"+session[:min(len(session), 16)])
}

// share returns the URL of the server that belongs to dir, started by begin unless it runs
// already, and the function that gives it up. If the server cannot be stopped from outside
// this process, or without flock(1), it is not shared and the function stops it.
func share(ctx context.Context, dir string, begin func(context.Context) (*server, error)) (string, func(), error) {
	if _, err := exec.LookPath("flock"); err != nil {
		return alone(ctx, begin)
	}
	gate, err := enter(dir)
	if err != nil {
		return "", func() {}, fmt.Errorf("share a server: %w", err)
	}
	defer func() { _ = gate.Close() }() // unlocks
	users, err := lock(filepath.Join(dir, "users"), syscall.LOCK_SH)
	if err != nil {
		return "", func() {}, fmt.Errorf("share a server: %w", err)
	}
	release := func() {
		_ = users.Close()
		cmd := exec.CommandContext(context.WithoutCancel(ctx), "sh", "-c", retire)
		cmd.Dir = dir
		_ = cmd.Run() // exits with 1 if there are other users
	}
	if dsn, err := os.ReadFile(filepath.Join(dir, "dsn")); err == nil {
		if err := run(ctx, string(dsn), "SELECT 1"); err != nil {
			release()
			return "", func() {}, fmt.Errorf("the shared server does not answer: %w", err)
		}
		return string(dsn), release, nil
	}

	s, err := begin(ctx)
	if err != nil || len(s.stopCommand) == 0 {
		_ = users.Close()
		_ = os.RemoveAll(dir)
		if err != nil {
			return "", func() {}, err
		}
		return s.dsn, s.stop, nil
	}
	if err := publish(dir, s); err != nil {
		_ = users.Close()
		s.stop()
		return "", func() {}, fmt.Errorf("share a server: %w", err)
	}
	return s.dsn, release, nil
}

// enter locks the gate of dir, which it creates if need be.
func enter(dir string) (*os.File, error) {
	path := filepath.Join(dir, "gate")
	for {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("directory: %w", err)
		}
		// The name can be guessed and what lies there is executed: it has to be ours alone.
		info, err := os.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // stopped and removed in between
		}
		if err != nil {
			return nil, fmt.Errorf("directory: %w", err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || int(stat.Uid) != os.Getuid() || info.Mode() != fs.ModeDir|0o700 {
			return nil, fmt.Errorf("%s exists and is not a private directory of ours", dir)
		}
		gate, err := lock(path, syscall.LOCK_EX)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		// The lock is worth something only while others find the same file under that name.
		mine, err := gate.Stat()
		if err == nil {
			if now, err := os.Stat(path); err == nil && os.SameFile(mine, now) {
				return gate, nil
			}
		}
		_ = gate.Close()
	}
}

func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// publish writes down how to reach and how to stop the server and starts its keeper, which
// belongs to a session of its own so that it outlives us and any interrupt.
func publish(dir string, s *server) error {
	words := make([]string, 0, len(s.stopCommand))
	for _, word := range s.stopCommand {
		words = append(words, quote(word))
	}
	script := strings.Join(words, " ") + "\nrm -rf " + quote(dir) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "stop"), []byte(script), 0o600); err != nil {
		return fmt.Errorf("stop script: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dsn"), []byte(s.dsn), 0o600); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	keeper := exec.Command("sh", "-c", keep) //nolint:noctx // it outlives every context of ours
	keeper.Dir = dir
	keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := keeper.Start(); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	if err := keeper.Process.Release(); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return nil
}

// quote makes one shell word of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
