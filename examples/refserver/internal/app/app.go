package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/cache"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/cache/rediscache"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Config of an App. The zero value runs in memory without an HTTP edge.
type Config struct {
	DSN    string           // see OpenDatabase; "" means Memory
	Addr   string           // where to serve HTTP; "" for nowhere
	Seed   bool             // fill an empty database with a small neighbourhood
	Clock  hyperlocal.Clock // nil: the machine's
	Logger *slog.Logger     // nil: slog's default
	Policy order.Policy     // zero: the defaults
	// GatewayTimeout bounds a call to a payment gateway; zero: payment's default. Twice as
	// long after it was begun, a payment that nobody answered for is looked up.
	GatewayTimeout time.Duration
	// NoIntake commits every call on its own, see order.Config.Intake.
	NoIntake bool
	// DrainDelay is how long requests are still taken after readiness has begun to fail, so that
	// whoever balances the load sees it before the port closes.
	DrainDelay time.Duration
	// KeepKeys is how long a server remembers idempotency keys; zero: 72 hours.
	KeepKeys time.Duration
	// CacheRedis is the address of a Redis in which servers share their cached answers, such as
	// redis://localhost:6379/0; "" for none: each server then keeps its own.
	CacheRedis string
	// Database, if set, is used in place of DSN and is not closed.
	Database *Database
}

// App is a running reference server: New opens and migrates, Run works until its context
// ends, Close lets go of what New opened.
type App struct {
	*Services
	DB   *Database
	Keys Keys // one for each kind of caller of the seeded tenant

	config   Config
	redis    *redis.Client // nil without CacheRedis
	clock    hyperlocal.Clock
	log      *slog.Logger
	workers  workers
	listener net.Listener
	server   *http.Server
	draining atomic.Bool
	handling sync.RWMutex // read-locked by every request under way
}

// New opens and migrates the database, builds the services, seeds if asked to, and takes the
// address. Nothing runs yet.
func New(ctx context.Context, c Config) (a *App, err error) {
	if c.DSN == "" {
		c.DSN = Memory
	}
	if c.Clock == nil {
		c.Clock = hyperlocal.SystemClock{}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.KeepKeys == 0 {
		c.KeepKeys = keepKeys
	}
	limits := httpapi.DefaultLimits()
	if err := CheckGatewayTimeout(c.GatewayTimeout); err != nil {
		return nil, err
	}
	a = &App{config: c, clock: c.Clock, log: c.Logger, DB: c.Database}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
			a = nil
		}
	}()
	if c.Addr != "" { // before the database: a second server on the same file must not get far
		if a.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.Addr); err != nil {
			return a, explainListen(c.Addr, err)
		}
	}
	if a.DB == nil {
		if a.DB, err = OpenDatabase(ctx, c.DSN); err != nil {
			return a, err
		}
	}
	if err := a.DB.Migrate(ctx); err != nil {
		return a, err
	}
	shared, err := a.openRedis()
	if err != nil {
		return a, err
	}
	a.workers.init(a)
	if a.Services, err = Wire(a.DB, Wiring{
		Clock: c.Clock, Logger: c.Logger, Policy: c.Policy, GatewayTimeout: c.GatewayTimeout, Shared: shared, Wake: a.workers.wake,
		Intake: !c.NoIntake,
	}); err != nil {
		return a, err
	}
	if c.Seed {
		if err := a.seed(ctx); err != nil {
			return a, fmt.Errorf("seeding: %w", err)
		}
	}
	if a.listener == nil {
		return a, nil
	}
	if a.Keys, err = a.loadKeys(ctx); err != nil {
		return a, err
	}
	handler, err := httpapi.New(httpapi.Config{
		Orders: a.Orders, Stock: a.Stock, Catalog: a.Catalog, Payments: a.Payments, Loyalty: a.Loyalty, Ledger: a.Ledger,
		Cache: a.Answers, Authenticate: a.Keys.Authenticate, Ready: a.ready, Logger: c.Logger, Limits: limits,
	})
	if err != nil {
		return a, err
	}
	a.server = &http.Server{
		Handler: a.counted(handler), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		// Longer than a request may take, or nobody would be told that it took too long.
		WriteTimeout: limits.Timeout + 10*time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn),
	}
	return a, nil
}

// openRedis returns the shared layer of cached answers, nil if there is none. It does not
// connect: a server without its Redis is slower and works.
func (a *App) openRedis() (cache.Shared, error) {
	if a.config.CacheRedis == "" {
		return nil, nil //nolint:nilnil // no layer is what the cache takes as none
	}
	options, err := redis.ParseURL(a.config.CacheRedis)
	if err != nil {
		return nil, hyperlocal.Invalid("server", "cache_redis", "the address of a Redis looks like redis://localhost:6379/0")
	}
	options.ContextTimeoutEnabled, options.MaxRetries, options.DialerRetries = true, -1, 1 // the cache has no time to wait
	a.redis = redis.NewClient(options)
	return rediscache.New(rediscache.Config{Client: a.redis})
}

func explainListen(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the address %s is taken by another program; stop it or choose another one with --addr", addr)
	}
	if errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("this user may not listen on %s; choose a port above 1023 with --addr", addr)
	}
	return fmt.Errorf("cannot listen on %s: %w; choose another address with --addr", addr, err)
}

// Addr is where HTTP is served, with the port that was found if port 0 was asked for.
func (a *App) Addr() string {
	if a.listener == nil {
		return ""
	}
	return a.listener.Addr().String()
}

// ready is the readiness check: not while draining, and only with a database that answers.
func (a *App) ready(ctx context.Context) error {
	if a.draining.Load() {
		return hyperlocal.NewError(hyperlocal.CodeUnavailable, "server/draining", "the server is shutting down")
	}
	return a.DB.Ping(ctx)
}

// answering is what a request needs besides the time of the gateway that it waits for.
const answering = 3 * time.Second

// CheckGatewayTimeout refuses a time for payment gateways that no request could wait for.
func CheckGatewayTimeout(d time.Duration) error {
	request := httpapi.DefaultLimits().Timeout
	if d < 0 || d > request-answering {
		return fmt.Errorf("a payment gateway can be given at most %s, because a request ends after %s; it was %s", request-answering, request, d)
	}
	return nil
}

// drainTime is how long requests under way get when the server stops: the slowest that there
// is waits for a payment gateway.
func (a *App) drainTime() time.Duration {
	gateway := a.config.GatewayTimeout
	if gateway == 0 {
		gateway = payment.DefaultPolicy().Timeout
	}
	return gateway + answering
}

// counted lets Run know when the last handler has returned.
func (a *App) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.handling.TryRLock() { // everything is over, and the database about to be closed
			panic(http.ErrAbortHandler)
		}
		defer a.handling.RUnlock()
		h.ServeHTTP(w, r)
	})
}

// Run works until ctx ends or a part fails for good, and then stops in order: readiness
// fails, after DrainDelay the port closes, requests under way are answered, what they had
// begun is committed, the workers, the relay and the event router end. Requests that take longer than the gateway timeout and a
// little are cut off, with a warning in the log; no handler runs any more when Run returns.
// started, if not nil, is called when everything runs.
func (a *App) Run(ctx context.Context, started func()) error {
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	ended := make(chan error, 2)
	running := make(chan struct{})
	go func() { ended <- a.workers.run(work, func() { close(running) }) }()
	select {
	case <-running:
	case err := <-ended:
		return err
	}
	serving := a.server != nil
	if serving {
		go func() { ended <- a.server.Serve(a.listener) }()
	}
	if started != nil {
		started()
	}
	var failed error
	select {
	case <-ctx.Done():
		a.draining.Store(true)
		failed = a.linger(ended)
	case failed = <-ended:
		a.draining.Store(true)
	}
	if serving {
		failed = errors.Join(failed, a.stopServing(ctx))
	}
	drained := a.drain(ctx)
	stop(nil)
	a.workers.wait()
	if errors.Is(failed, http.ErrServerClosed) {
		failed = nil
	}
	return errors.Join(failed, drained)
}

// linger waits until the load goes elsewhere, or a part fails.
func (a *App) linger(ended <-chan error) error {
	if a.server == nil || a.config.DrainDelay <= 0 {
		return nil
	}
	timer := time.NewTimer(a.config.DrainDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-ended:
		return err
	}
}

// stopServing closes the port and waits until the last handler has returned. Every request
// ends by itself, see httpapi.Limits; once its connection is closed, sooner.
func (a *App) stopServing(ctx context.Context) error {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.drainTime())
	defer cancel()
	err := a.server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.WarnContext(ctx, "requests were still under way when the time was over and are cut off", "after", a.drainTime())
		err = nil
	}
	_ = a.server.Close()
	a.handling.Lock() // for good: nothing is handled any more
	return err
}

// drain lets those be committed who are still inside, though nobody may be waiting for them.
func (a *App) drain(ctx context.Context) error {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.drainTime())
	defer cancel()
	return a.Services.Drain(grace)
}

// Close closes what New opened. Call it after Run has returned.
func (a *App) Close() error {
	var errs []error
	if a.listener != nil {
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.Services != nil {
		errs = append(errs, a.Services.Close())
	}
	if a.redis != nil {
		errs = append(errs, a.redis.Close())
	}
	if a.DB != nil && a.config.Database == nil {
		errs = append(errs, a.DB.Close())
	}
	return errors.Join(errs...)
}
