package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// ImportCommand asks to reconcile a statement.
type ImportCommand struct {
	Tenant  hyperlocal.TenantID
	Source  string // name of the gateway
	Account string // at the provider, 1 to MaxAccount bytes
	// From and Until bound the time for which the statement is complete, so that what it lacks
	// can be told; both zero if it is not complete for any.
	From, Until time.Time
	Actor       hyperlocal.Actor
}

func (c *ImportCommand) validate() error {
	if err := errors.Join(c.Tenant.Validate(), c.Actor.Validate()); err != nil {
		return err
	}
	if c.Account == "" {
		return hyperlocal.Invalid("reconcile", "account", "name the account at the provider that the statement is of")
	}
	if err := hyperlocal.CheckText("reconcile", "account", c.Account, MaxAccount); err != nil {
		return err
	}
	if c.From.IsZero() != c.Until.IsZero() || c.Until.Before(c.From) {
		return hyperlocal.Invalid("reconcile", "until", "give both ends of the statement's time in their order, or neither")
	}
	return nil
}

// Import reads a statement from its beginning and reconciles it, batch by batch, each in a
// transaction of its own; call it outside any. A file that was imported before, told by its
// bytes, changes nothing: repeated is true. One whose import stopped, whatever the reason, goes
// on where it stopped.
//
// Errors: code invalid; ErrUnknownSource; ErrBusy if the same file is being imported elsewhere;
// ErrFileChanged; what the format says of the file, with the line, in which case nothing was
// booked; what the store or the journal says. The run says how far it came.
func (s *Service) Import(ctx context.Context, c ImportCommand, file io.ReadSeeker) (run Run, repeated bool, err error) {
	if hyperlocal.InTx(ctx) {
		return Run{}, false, errInTx
	}
	if err := c.validate(); err != nil {
		return Run{}, false, err
	}
	source, ok := s.Sources[c.Source]
	if !ok {
		return Run{}, false, ErrUnknownSource.With("source", c.Source)
	}
	sum := &summed{ctx: ctx, sum: sha256.New()}
	if err := sum.rewind(file); err != nil {
		return Run{}, false, err
	}
	if _, err := io.Copy(io.Discard, sum); err != nil {
		return Run{}, false, unreadable(err)
	}
	now := s.Clock.Now()
	fresh := Run{
		ID: s.IDs.NewID(), Tenant: c.Tenant, Source: c.Source, Account: c.Account, Digest: sum.digest(), Size: sum.size,
		From: hyperlocal.Instant(c.From), Until: hyperlocal.Instant(c.Until), Phase: PhaseLoading, Actor: c.Actor,
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	err = s.Tx.WithinTx(ctx, func(ctx context.Context) (err error) {
		run, _, err = s.Store.CreateRun(ctx, fresh)
		return err
	})
	if err != nil {
		return Run{}, false, err
	}
	if run.Phase == PhaseDone {
		return run, true, nil
	}
	if run.Phase == PhaseLoading {
		if run, err = s.load(ctx, run, source, file); err != nil {
			return s.stopped(ctx, run, err), false, err
		}
	}
	run, err = s.work(ctx, run)
	return run, false, err
}

var errInTx = hyperlocal.NewError(hyperlocal.CodeInternal, "reconcile/in_tx",
	"an import makes transactions of its own; call it outside any")

func unreadable(err error) error {
	if hyperlocal.ReasonOf(err) != "" {
		return err
	}
	return hyperlocal.NewError(hyperlocal.CodeUnavailable, "reconcile/unreadable", "the file cannot be read").WithCause(err)
}

// Resume goes on with a run whose file was read, for example after a crash. A run that is done
// stays as it is. Errors: code invalid, ErrNotFound, ErrNeedsFile, ErrBusy.
func (s *Service) Resume(ctx context.Context, tenant hyperlocal.TenantID, id string) (Run, error) {
	if hyperlocal.InTx(ctx) {
		return Run{}, errInTx
	}
	run, err := s.Run(ctx, tenant, id)
	if err != nil {
		return Run{}, err
	}
	if run.Phase == PhaseLoading || run.Phase == PhaseAbandoned {
		return run, ErrNeedsFile.With("run", id)
	}
	return s.work(ctx, run)
}

// summed digests what is read through it, and stops with its context.
type summed struct {
	ctx  context.Context
	file io.Reader
	sum  hash.Hash
	size int64
}

func (s *summed) rewind(file io.ReadSeeker) error {
	s.file, s.size = file, 0
	s.sum.Reset()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return unreadable(err)
	}
	return nil
}

// Read implements [io.Reader].
func (s *summed) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, hyperlocal.NewError(hyperlocal.CodeDeadline, "reconcile/cancelled", "the caller's context ended").WithCause(err)
	}
	n, err := s.file.Read(p)
	s.sum.Write(p[:n])
	s.size += int64(n)
	return n, err //nolint:wrapcheck // a reader passes io.EOF on
}

func (s *summed) digest() string { return hex.EncodeToString(s.sum.Sum(nil)) }

// load stores the lines that are not stored yet. Nothing is booked before the whole file was
// read and found to be what was announced.
func (s *Service) load(ctx context.Context, run Run, source Source, file io.ReadSeeker) (Run, error) {
	sum := &summed{ctx: ctx, sum: sha256.New()}
	if err := sum.rewind(file); err != nil {
		return run, err
	}
	lines := source.Format(sum, s.Limits)
	batch := make([]Line, 0, s.Batch)
	for {
		l, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return run, err
		}
		if l.Number <= run.Place {
			continue
		}
		source.extend(run.Tenant, &l)
		if batch = append(batch, l); len(batch) == s.Batch {
			if run, err = s.keep(ctx, run, batch, false); err != nil {
				return run, err
			}
			batch = batch[:0]
		}
	}
	if _, err := io.Copy(io.Discard, sum); err != nil { // a format may stop at its totals
		return run, unreadable(err)
	}
	if sum.digest() != run.Digest {
		return s.abandon(ctx, run)
	}
	return s.keep(ctx, run, batch, true)
}

// extend adds the references that the source derives.
func (c *Source) extend(tenant hyperlocal.TenantID, l *Line) {
	if c.References == nil {
		return
	}
	var all []string
	for _, r := range l.References {
		all = append(append(all, r), c.References(tenant, r)...)
	}
	all = references(all...)
	l.References = all[:min(len(all), MaxReferences)]
}

func (s *Service) keep(ctx context.Context, run Run, lines []Line, last bool) (Run, error) {
	return s.step(ctx, run, func(ctx context.Context, run *Run) error {
		if len(lines) > 0 {
			run.Lines += len(lines)
			run.Place = lines[len(lines)-1].Number
		}
		if last {
			run.Phase, run.Place = PhaseMatching, 0
		}
		return s.Store.AppendLines(ctx, run.Tenant, run.ID, lines)
	})
}

// abandon gives up a run whose lines may not be those of its file.
func (s *Service) abandon(ctx context.Context, run Run) (Run, error) {
	run, err := s.step(ctx, run, func(_ context.Context, run *Run) error {
		run.Phase, run.Digest, run.Problem = PhaseAbandoned, run.Digest+"/"+run.ID, ErrFileChanged.Reason
		run.FinishedAt = s.Clock.Now()
		return nil
	})
	if err != nil {
		return run, err
	}
	return run, ErrFileChanged.With("run", run.ID)
}

// stopped notes why a run stopped, if that can be noted.
func (s *Service) stopped(ctx context.Context, run Run, cause error) Run {
	if !hyperlocal.IsCode(cause, hyperlocal.CodeInvalid) || run.Phase == PhaseAbandoned {
		return run
	}
	noted, err := s.step(ctx, run, func(_ context.Context, run *Run) error {
		run.Problem = hyperlocal.ReasonOf(cause)
		return nil
	})
	if err != nil {
		return run
	}
	return noted
}

// work goes through the phases after loading.
func (s *Service) work(ctx context.Context, run Run) (Run, error) {
	for run.Phase != PhaseDone {
		if err := ctx.Err(); err != nil {
			return run, hyperlocal.NewError(hyperlocal.CodeDeadline, "reconcile/cancelled", "the caller's context ended").WithCause(err)
		}
		var err error
		switch run.Phase {
		case PhaseMatching:
			run, err = s.matchBatch(ctx, run)
		case PhaseGuessing:
			run, err = s.guess(ctx, run)
		case PhaseSweeping:
			run, err = s.sweepBatch(ctx, run)
		default:
			return run, ErrNeedsFile.With("run", run.ID)
		}
		if err != nil {
			return s.stopped(ctx, run, err), err
		}
	}
	return run, nil
}
