package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Source is a gateway whose provider sends statements.
type Source struct {
	// Format reads them: StripeBalance, AlipayTrade, WeChatTrade, SandboxStatement or one of
	// the host's own.
	Format Format
	// References, if set, returns further references for one that stands in a line: the
	// idempotency key, for a gateway whose order numbers are derived from it. It is called from
	// many goroutines at once.
	References func(tenant hyperlocal.TenantID, reference string) []string
}

// Config says what reconciliation is made of. Store, Tx, Books and Sources are required.
type Config struct {
	Store Store
	Tx    hyperlocal.TxRunner
	Books payment.MovedReader // what moved by our books: the payment context's Store
	// Journal is where statements are posted; the one of the payment service. nil: nowhere.
	Journal Journal
	Sources map[string]Source   // by the name of the gateway
	Clock   hyperlocal.Clock    // default: the system's
	IDs     hyperlocal.IDSource // default: random
	Limits  Limits
	Batch   int // lines in one transaction, 1 to MaxPostings; default 1000
	// Window is how far the times of a line and an operation may lie apart that agree in nothing
	// but the amount; default an hour, negative for no such guess.
	Window time.Duration
	// Lag is by how much the provider's time may be behind ours: what moved in the last Lag of a
	// statement's time is looked for in the next one. Default an hour.
	Lag time.Duration
}

// Service reconciles. It is safe for concurrent use; the runs of one source and account go one
// batch at a time.
type Service struct {
	Config

	journal Journal
}

// New returns a service. Errors, all reported together: code invalid for what is missing or
// makes no sense, hyperlocal.ErrMixedScopes if Store, Tx and Books do not commit together.
func New(c Config) (*Service, error) {
	var problems []error
	require := func(ok bool, field, message string) {
		if !ok {
			problems = append(problems, hyperlocal.Invalid("reconcile", field, message))
		}
	}
	require(c.Store != nil, "store", "reconciliation needs a Store")
	require(c.Tx != nil, "tx", "reconciliation needs a TxRunner")
	require(c.Books != nil, "books", "reconciliation needs Books: the Store of the payment context")
	require(len(c.Sources) > 0, "sources", "name at least one gateway and the format of its statements")
	for name, source := range c.Sources {
		require(name != "" && len(name) <= payment.MaxGateway, "sources", "a source has the name of a gateway")
		require(source.Format != nil, "sources", "source "+name+" needs a Format")
	}
	require(c.Batch >= 0 && c.Batch <= MaxPostings, "batch", "a batch has 1 to 1000 lines")
	require(c.Lag >= 0 && c.Lag <= 7*24*time.Hour && c.Window <= 7*24*time.Hour, "window", "times lie a week apart at most")
	require(c.Limits.MaxLine >= 0 && c.Limits.MaxLines >= 0, "limits", "limits are positive")
	problems = append(problems, hyperlocal.SameScope(c.Store, c.Tx, c.Books))
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if c.Clock == nil {
		c.Clock = hyperlocal.SystemClock{}
	}
	if c.IDs == nil {
		c.IDs = hyperlocal.RandomIDs{}
	}
	if c.Batch == 0 {
		c.Batch = MaxPostings
	}
	if c.Window == 0 {
		c.Window = time.Hour
	}
	if c.Lag == 0 {
		c.Lag = time.Hour
	}
	return &Service{Config: c, journal: c.Journal}, nil
}

// TxScope implements [hyperlocal.Scoped].
func (s *Service) TxScope() hyperlocal.Scope { return hyperlocal.ScopeOf(s.Store) }

// step runs one batch: fn changes the run, which is locked and still as the caller knows it,
// and saves what belongs to it.
func (s *Service) step(ctx context.Context, known Run, fn func(ctx context.Context, run *Run) error) (Run, error) {
	var run Run
	err := s.Tx.WithinTx(ctx, func(ctx context.Context) error {
		locked, ok, err := s.Store.LockRun(ctx, known.Tenant, known.ID)
		switch {
		case err != nil:
			return err
		case !ok:
			return ErrNotFound.With("run", known.ID)
		case locked.Version != known.Version:
			return ErrBusy.With("run", known.ID)
		}
		run = locked
		run.Problem = ""
		if err := fn(ctx, &run); err != nil {
			return err
		}
		run.Version++
		run.UpdatedAt = s.Clock.Now()
		return s.Store.SaveRun(ctx, run)
	})
	if err != nil {
		return known, err
	}
	return run, nil
}
