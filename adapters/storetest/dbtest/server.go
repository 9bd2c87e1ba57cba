package dbtest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

const (
	image          = "postgres:15"
	maxConnections = "300"
)

// server is a running PostgreSQL that this package started.
type server struct {
	dsn string // superuser, maintenance database
	// stopCommand stops the server and removes its files, from any process of this user;
	// empty if only stop can.
	stopCommand []string
	stop        func()
}

// start tries a container, then the local binaries. The error wraps errNone if neither exists.
func start(ctx context.Context) (*server, error) {
	s, dockerErr := container(ctx)
	if dockerErr == nil {
		return s, nil
	}
	s, localErr := local(ctx)
	if localErr == nil {
		return s, nil
	}
	return nil, fmt.Errorf("%w (%w; %w)", errNone, dockerErr, localErr)
}

// engine returns the address of a Docker engine that answers.
func engine(ctx context.Context) (host string, err error) {
	defer func() { // the library panics where it finds no socket at all
		if r := recover(); r != nil {
			err = fmt.Errorf("docker: %v", r)
		}
	}()
	provider, err := testcontainers.NewDockerProvider(testcontainers.WithLogger(log.NewNoopLogger()))
	if err != nil {
		return "", fmt.Errorf("docker: %w", err)
	}
	defer func() { _ = provider.Close() }()
	if err := provider.Health(ctx); err != nil {
		return "", fmt.Errorf("docker: %w", err)
	}
	return provider.Client().DaemonHost(), nil
}

func container(ctx context.Context) (*server, error) {
	host, err := engine(ctx)
	if err != nil {
		return nil, err
	}
	c, err := postgres.Run(ctx, image,
		testcontainers.WithLogger(log.NewNoopLogger()),
		postgres.WithPassword(rand.Text()),
		testcontainers.WithCmd("postgres", "-c", "max_connections="+maxConnections),
		postgres.BasicWaitStrategies())
	s := &server{stop: func() { _ = testcontainers.TerminateContainer(c) }}
	if err == nil {
		s.dsn, err = c.ConnectionString(ctx, "sslmode=disable")
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("docker: %w", err)
	}
	if docker, err := exec.LookPath("docker"); err == nil {
		// The library and the command do not look for the engine in the same places.
		s.stopCommand = []string{docker, "--host", host, "rm", "--force", "--volumes", c.GetContainerID()}
	}
	return s, nil
}

func local(ctx context.Context) (_ *server, err error) {
	initdb, pgCtl, err := binaries()
	if err != nil {
		return nil, err
	}
	asOwner, owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hyperlocal-postgres-")
	if err != nil {
		return nil, fmt.Errorf("local server: %w", err)
	}
	data, password := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	command := func(argv ...string) error {
		argv = slices.Concat(asOwner, argv)
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Dir = dir // the owner may not be able to enter ours
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("local server: %s: %w: %s", strings.Join(argv, " "), err, out)
		}
		return nil
	}
	halt := slices.Concat(asOwner, []string{pgCtl, "-D", data, "-m", "immediate", "-w", "stop"})
	s := &server{stopCommand: []string{"sh", "-c", `dir=$1; shift; cd "$dir" && "$@"; cd / && rm -rf "$dir"`, "stop", dir}}
	s.stopCommand = append(s.stopCommand, halt...)
	s.stop = func() {
		_ = exec.CommandContext(context.WithoutCancel(ctx), s.stopCommand[0], s.stopCommand[1:]...).Run()
	}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()

	secret := rand.Text()
	if err := os.WriteFile(password, []byte(secret), 0o600); err != nil {
		return nil, fmt.Errorf("local server: %w", err)
	}
	if owner >= 0 {
		if err := errors.Join(os.Chown(dir, owner, -1), os.Chown(password, owner, -1)); err != nil {
			return nil, fmt.Errorf("local server: %w", err)
		}
	}
	if err := command(initdb, "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C",
		"--auth=scram-sha-256", "--pwfile="+password); err != nil {
		return nil, err
	}
	// Between the choice of a free port and its use somebody else may take it.
	for range 3 {
		var port string
		if port, err = freePort(ctx); err != nil {
			return nil, err
		}
		options := "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=" + maxConnections + " -c port=" + port
		if err = command(pgCtl, "-D", data, "-o", options, "-l", filepath.Join(dir, "log"), "-w", "start"); err == nil {
			u := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", secret),
				Host: net.JoinHostPort("127.0.0.1", port), Path: "/postgres", RawQuery: "sslmode=disable"}
			s.dsn = u.String()
			return s, nil
		}
	}
	return nil, err
}

// binaries finds initdb and pg_ctl, in PATH or in the newest version that Debian's packages
// have put in place.
func binaries() (initdb, pgCtl string, err error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return path, filepath.Join(filepath.Dir(path), "pg_ctl"), nil
		}
	}
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(dirs) == 0 {
		return "", "", errors.New("local server: no initdb in PATH or /usr/lib/postgresql")
	}
	newest := slices.MaxFunc(dirs, func(a, b string) int { return cmp.Compare(version(a), version(b)) })
	return filepath.Join(newest, "initdb"), filepath.Join(newest, "pg_ctl"), nil
}

// version is the number in /usr/lib/postgresql/<number>/bin.
func version(bin string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	if err != nil {
		return -1
	}
	return n
}

// unprivileged returns the prefix that runs a command as somebody whom the server accepts,
// and that user's id. For anybody but root there is no prefix and the id is -1.
func unprivileged() (prefix []string, uid int, err error) {
	if os.Getuid() != 0 {
		return nil, -1, nil
	}
	owner, err := user.Lookup("postgres")
	if err != nil {
		return nil, -1, fmt.Errorf("local server: root needs a user to run it as: %w", err)
	}
	if uid, err = strconv.Atoi(owner.Uid); err != nil {
		return nil, -1, fmt.Errorf("local server: %w", err)
	}
	if setpriv, err := exec.LookPath("setpriv"); err == nil {
		return []string{setpriv, "--reuid=postgres", "--regid=" + owner.Gid, "--init-groups", "--"}, uid, nil
	}
	return []string{"su", "-s", "/bin/sh", "-c", `exec "$0" "$@"`, "postgres", "--"}, uid, nil
}

func freePort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("local server: %w", err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", fmt.Errorf("local server: %w", err)
	}
	return port, nil
}

// alone starts a server that no other process uses.
func alone(ctx context.Context, begin func(context.Context) (*server, error)) (string, func(), error) {
	s, err := begin(ctx)
	if err != nil {
		return "", func() {}, err
	}
	return s.dsn, s.stop, nil
}
