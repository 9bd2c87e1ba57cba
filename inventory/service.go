package inventory

import (
	"context"
	"errors"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// DefaultHoldTTL is how long a hold lasts when nobody says otherwise.
const DefaultHoldTTL = 10 * time.Minute

// MaxHoldTTL bounds how long a hold may last without being extended.
const MaxHoldTTL = 30 * 24 * time.Hour

// Config is what a Service is made of. Store, Tx and Outbox are required and share one
// database.
type Config struct {
	Store       Store
	Tx          hyperlocal.TxRunner
	Outbox      hyperlocal.Outbox
	Idempotency hyperlocal.Idempotency // nil: commands with a Key are refused with ErrNotConfigured
	Clock       hyperlocal.Clock       // nil: the machine's
	IDs         hyperlocal.IDSource    // nil: random
	HoldTTL     time.Duration          // zero: DefaultHoldTTL
	Intake      *Intake                // nil: every Hold is a transaction of its own
}

// Service is the use cases of this context. It is safe for concurrent use. Every command
// joins the transaction of its ctx or runs in one of its own; on an error nothing of the
// command is changed.
type Service struct {
	store       Store
	tx          hyperlocal.TxRunner
	outbox      hyperlocal.Outbox
	idempotency hyperlocal.Idempotency
	clock       hyperlocal.Clock
	ids         hyperlocal.IDSource
	holdTTL     time.Duration
	memory      memory
	holds       *hyperlocal.Gather[*ask, ReserveResult]
}

// New builds a Service. It reports all missing parts together, and ErrMixedScopes for parts
// that cannot commit together.
func New(c Config) (*Service, error) {
	var problems []error
	for _, part := range []struct {
		name    string
		missing bool
	}{{"store", c.Store == nil}, {"tx", c.Tx == nil}, {"outbox", c.Outbox == nil}} {
		if part.missing {
			problems = append(problems, invalid(part.name, "the service needs a "+part.name))
		}
	}
	if c.HoldTTL < 0 || c.HoldTTL > MaxHoldTTL {
		problems = append(problems, invalid("hold_ttl", "a hold lasts up to 30 days"))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if err := hyperlocal.SameScope(c.Tx, c.Store, c.Outbox, c.Idempotency); err != nil {
		return nil, err
	}
	s := &Service{
		store: c.Store, tx: c.Tx, outbox: c.Outbox, idempotency: c.Idempotency,
		clock: c.Clock, ids: c.IDs, holdTTL: c.HoldTTL, memory: memory{seen: make(map[Key]seen)},
	}
	if s.clock == nil {
		s.clock = hyperlocal.SystemClock{}
	}
	if s.ids == nil {
		s.ids = hyperlocal.RandomIDs{}
	}
	if s.holdTTL == 0 {
		s.holdTTL = DefaultHoldTTL
	}
	return s, s.openIntake(c.Intake)
}

// TxScope implements [hyperlocal.Scoped].
func (s *Service) TxScope() hyperlocal.Scope {
	return hyperlocal.ScopeOf(s.tx)
}

const attempts = 4

// run runs fn in the transaction of ctx. Without one it begins its own, and again when a
// twin was a moment faster: what fn decided in memory is then decided anew. A caller that
// owns the transaction gets these conflicts instead, because only it can run it again.
func (s *Service) run(ctx context.Context, fn func(ctx context.Context) error) error {
	if hyperlocal.InTx(ctx) {
		return s.tx.WithinTx(ctx, fn)
	}
	for n := 1; ; n++ {
		err := s.tx.WithinTx(ctx, fn)
		if n == attempts || !errors.Is(err, ErrContended) && !errors.Is(err, ErrReferenceTaken) {
			return err
		}
	}
}

// doer is who does something, why, and when: what movements and events keep of a command.
type doer struct {
	tenant hyperlocal.TenantID
	actor  hyperlocal.Actor
	reason string
	at     time.Time
	cause  hyperlocal.Cause // zero: that of the context
}

// by checks what every command carries and fills in the effective time.
func (s *Service) by(tenant hyperlocal.TenantID, actor hyperlocal.Actor, reason string, at time.Time) (doer, error) {
	d := doer{tenant: tenant, actor: actor, reason: reason}
	if err := tenant.Validate(); err != nil {
		return d, err
	}
	if err := actor.Validate(); err != nil {
		return d, err
	}
	if err := hyperlocal.CheckText("inventory", "reason", reason, MaxReason); err != nil {
		return d, err
	}
	var err error
	d.at, err = s.effective(at)
	return d, err
}

// effective returns the instant at, or now when it is zero. What no database can keep is
// refused.
func (s *Service) effective(at time.Time) (time.Time, error) {
	if at.IsZero() {
		return s.clock.Now(), nil
	}
	if y := at.UTC().Year(); y < 1 || y > 9999 {
		return time.Time{}, invalid("at", "the effective time lies outside the years 1 to 9999")
	}
	return hyperlocal.Instant(at), nil
}

// count refuses an empty list, and one of more than MaxLines.
func count(field string, n int) error {
	if n == 0 {
		return invalid(field, "the list is empty")
	}
	if n > MaxLines {
		return invalid(field, "the list is too long").With("limit", MaxLines)
	}
	return nil
}

// amount refuses a quantity that is not positive or larger than a level may be.
func (k Key) amount(q hyperlocal.Quantity) error {
	if q.Sign() <= 0 || q.Value() > MaxUnits || !q.IsValid() {
		return k.in(invalid("quantity", "a quantity is positive, has a unit and at most MaxUnits base units"))
	}
	return nil
}

func checkOwner(r hyperlocal.Ref) error {
	if r.IsZero() {
		return invalid("owner", "the owner is empty")
	}
	return r.Validate()
}

func checkOwners(owners []hyperlocal.TenantRef) error {
	if len(owners) > MaxBatch {
		return invalid("owners", "the list is too long").With("limit", MaxBatch)
	}
	for _, o := range owners {
		if err := o.Tenant.Validate(); err != nil {
			return err
		}
		if err := checkOwner(o.Ref); err != nil {
			return err
		}
	}
	return nil
}
