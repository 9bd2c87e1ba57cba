package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
)

// Flow measures whole orders over HTTP: place two products, pay with the sandbox, accept. The
// server is the one that "refserver serve" runs, with its workers and its bus; the clients live
// in a process of their own, so that what they compute is told apart.
func Flow(ctx context.Context, o Options) (*Result, error) {
	if o.Items == 1 {
		o.Items = 2 // an order is of two products
	}
	return within(ctx, &o, func(own *room) (*Result, error) { return own.flow(ctx, &o) })
}

func (own *room) flow(ctx context.Context, o *Options) (*Result, error) {
	served, err := own.serve(ctx, o)
	if err != nil {
		return nil, err
	}
	defer served.stop()
	o.tell("publishing what the shop was filled with")
	if err := served.app.Drain(ctx); err != nil {
		return nil, err
	}
	if err := own.settle(ctx); err != nil {
		return nil, err
	}
	job := o.job(flowJob)
	job.Base, job.Bearer, job.Merchant = served.base, served.app.Keys.Shopper, served.app.Keys.Merchant
	for _, p := range served.products {
		job.Variants = append(job.Variants, string(p.Variants[0].ID))
	}
	o.tell("measuring for %s", o.Duration)
	ours, err := job.run(ctx, served.meter)
	if err != nil {
		return nil, err
	}
	res := &Result{Unit: "flows"}
	ours.report(res)
	served.meter.costs(res, ours.Calls)
	ours.computing(res, served.meter)
	return res, nil
}

// served is a server that runs in this process.
type served struct {
	app      *app.App
	meter    *meter
	base     string // URL
	products []catalog.Product
	stop     func()
}

// serve starts the server with a shop of o.Items products.
func (own *room) serve(ctx context.Context, o *Options) (_ *served, err error) {
	db, m, err := own.database(ctx, o) // with the pool of a server
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	log := o.Logger
	if log == nil {
		log = slog.Default()
	}
	db.SandboxLog = &sandbox.MemoryLog{} // a provider's books are on a provider's machine
	a, err := app.New(ctx, app.Config{Database: db, Addr: "127.0.0.1:0", Logger: log, NoIntake: !o.Intake})
	if err != nil {
		return nil, err
	}
	products, err := shelve(ctx, a.Services, app.Demo, o.Items)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- a.Run(serving, func() { close(started) }) }()
	select {
	case <-started:
	case err := <-ended:
		cancel()
		return nil, errors.Join(err, a.Close())
	}
	return &served{app: a, meter: m, base: "http://" + a.Addr(), products: products, stop: func() {
		m.stopProfile()
		cancel()
		if err := <-ended; err != nil {
			log.WarnContext(ctx, "the server did not stop in order", "error", err)
		}
		_ = a.Close()
		_ = db.Close()
	}}, nil
}

// sample asks once.
func (s *served) sample(ctx context.Context, path string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.app.Keys.Shopper)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }() // it has been read
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%w: %s answered %s", errAnswer, path, res.Status)
	}
	body, err := io.ReadAll(res.Body)
	return body, res.Header, err
}

// bare is a server with one handler and nothing around it.
type bare struct {
	base  string
	close func()
}

func listen(ctx context.Context, h http.Handler) (*bare, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	return &bare{base: "http://" + listener.Addr().String(), close: func() {
		_ = server.Close()
		<-ended
	}}, nil
}
