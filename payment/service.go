package payment

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Config is what a Service is built from.
type Config struct {
	Store    Store               // required
	Tx       hyperlocal.TxRunner // required; the same database as Store
	Outbox   hyperlocal.Outbox   // required; the same database as Store
	Gateways []Gateway           // at least one, with distinct names
	Journal  Journal             // nil: no books are kept
	Clock    hyperlocal.Clock    // nil: the system's
	IDs      hyperlocal.IDSource // nil: random
	// DefaultGateway is used by commands that name none; "" means the first of Gateways.
	DefaultGateway string
	// Router, if set, chooses for them first.
	Router Router
	Policy Policy
	// Hook, if set, is called at named places: "pay.after_gateway" right after a gateway
	// answered and before the answer is stored. An error stops there, as a crash would.
	Hook func(ctx context.Context, name string) error
	// Wake, if set, is called after a commit that left something due for RunDue or
	// ProcessWebhooks. It must not block. Polling covers what it misses.
	Wake func()
	// Intake, if set, records what gateways answer to concurrent callers together. Close
	// drains it.
	Intake *Intake
}

// Service is the use cases of payment. It is safe for concurrent use.
type Service struct {
	store    Store
	tx       hyperlocal.TxRunner
	outbox   hyperlocal.Outbox
	journal  Journal
	clock    hyperlocal.Clock
	ids      hyperlocal.IDSource
	gateways map[string]Gateway
	fallback string
	router   Router
	policy   Policy
	hook     func(ctx context.Context, name string) error
	wake     func()
	begun    begun
	records  *hyperlocal.Gather[*record, recorded] // nil without an Intake

	mu     sync.RWMutex
	owners map[string]Owner
}

// New builds a Service, or reports everything that is missing or wrong at once.
func New(c Config) (*Service, error) {
	var errs []error
	missing := func(absent bool, what string) {
		if absent {
			errs = append(errs, hyperlocal.Invalid("payment", what, "is required"))
		}
	}
	missing(c.Store == nil, "store")
	missing(c.Tx == nil, "tx")
	missing(c.Outbox == nil, "outbox")
	missing(len(c.Gateways) == 0, "gateways")
	c.Policy.setDefaults()
	errs = append(errs, c.Policy.validate(), hyperlocal.SameScope(c.Store, c.Tx, c.Outbox, c.Journal))
	s := &Service{
		store: c.Store, tx: c.Tx, outbox: c.Outbox, journal: c.Journal, clock: c.Clock, ids: c.IDs,
		gateways: make(map[string]Gateway), fallback: c.DefaultGateway, router: c.Router, policy: c.Policy,
		hook: c.Hook, wake: c.Wake, owners: make(map[string]Owner),
	}
	if s.clock == nil {
		s.clock = hyperlocal.SystemClock{}
	}
	if s.ids == nil {
		s.ids = hyperlocal.RandomIDs{}
	}
	if s.wake == nil {
		s.wake = func() {}
	}
	for _, g := range c.Gateways {
		if g == nil {
			errs = append(errs, hyperlocal.Invalid("payment", "gateways", "a gateway is nil"))
			continue
		}
		name := g.Name()
		if err := checkGatewayName(name); err != nil {
			errs = append(errs, err)
			continue
		}
		if s.gateways[name] != nil {
			errs = append(errs, hyperlocal.Invalid("payment", "gateways", "two gateways have the same name").With("gateway", name))
		}
		s.gateways[name] = g
		if s.fallback == "" {
			s.fallback = name
		}
	}
	if len(s.gateways) > 0 && s.gateways[s.fallback] == nil {
		errs = append(errs, ErrUnknownGateway.With("gateway", s.fallback))
	}
	errs = append(errs, s.openIntake(c.Intake))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

func checkGatewayName(name string) error {
	bad := hyperlocal.Invalid("payment", "gateway", "a gateway's name has 1 to 32 characters of a-z, 0-9, _ and -")
	if name == "" || len(name) > MaxGateway {
		return bad
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return bad
		}
	}
	return nil
}

// TxScope implements [hyperlocal.Scoped]: payments commit together with whatever shares it.
func (s *Service) TxScope() hyperlocal.Scope {
	return hyperlocal.ScopeOf(s.store)
}

// AttachOwner tells who answers for owners of a kind ("order"). It is called while the
// program is wired, once per kind: payment cannot be given its owners when it is built,
// because they are built with payment. Errors: already_exists, invalid.
func (s *Service) AttachOwner(kind string, o Owner) error {
	if o == nil {
		return hyperlocal.Invalid("payment", "owner", "is required")
	}
	if err := hyperlocal.NewRef(kind, "x").Validate(); err != nil {
		return err
	}
	if err := hyperlocal.SameScope(s, o); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners[kind] != nil {
		return ErrOwnerAttached.With("kind", kind)
	}
	s.owners[kind] = o
	return nil
}

func (s *Service) owner(kind string) (Owner, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if o := s.owners[kind]; o != nil {
		return o, nil
	}
	return nil, ErrUnknownOwner.With("kind", kind)
}

// Gateways returns the names of the configured gateways, sorted, and what each can do.
func (s *Service) Gateways() map[string]Capabilities {
	all := make(map[string]Capabilities, len(s.gateways))
	for name, g := range s.gateways {
		all[name] = g.Capabilities()
	}
	return all
}

// Status reports operations as they stand, in the order of ids. An unknown id is not_found.
func (s *Service) Status(ctx context.Context, tenant hyperlocal.TenantID, operations ...string) ([]hyperlocal.PaymentFact, error) {
	if err := checkIDs(tenant, operations); err != nil {
		return nil, err
	}
	if len(operations) == 0 {
		return nil, nil
	}
	found, err := s.store.Operations(ctx, tenant, operations...)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*Operation, len(found))
	var owners []hyperlocal.TenantRef
	for i := range found {
		byID[found[i].ID] = &found[i]
		owners = append(owners, hyperlocal.TenantRef{Tenant: tenant, Ref: found[i].Owner})
	}
	for _, id := range operations {
		if byID[id] == nil {
			return nil, ErrNotFound.With("operation", id)
		}
	}
	intents, err := s.store.Intents(ctx, sortedOwners(owners)...)
	if err != nil {
		return nil, err
	}
	u := s.unitOf(intents)
	facts := make([]hyperlocal.PaymentFact, len(operations))
	for i, id := range operations {
		op := byID[id]
		if facts[i], err = u.fact(op, op.share(op.Owner)); err != nil {
			return nil, err
		}
	}
	return facts, nil
}

// Intents returns the intents that have an allocation for the owner, oldest first.
func (s *Service) Intents(ctx context.Context, tenant hyperlocal.TenantID, owner hyperlocal.Ref) ([]Intent, error) {
	if err := checkOwner(tenant, owner); err != nil {
		return nil, err
	}
	return s.store.Intents(ctx, hyperlocal.TenantRef{Tenant: tenant, Ref: owner})
}

// Operation returns one operation, or not_found.
func (s *Service) Operation(ctx context.Context, tenant hyperlocal.TenantID, id string) (Operation, error) {
	if err := checkIDs(tenant, []string{id}); err != nil {
		return Operation{}, err
	}
	return s.load(ctx, tenant, id)
}

// Operations lists operations newest first by (CreatedAt, ID).
func (s *Service) Operations(ctx context.Context, tenant hyperlocal.TenantID, f OperationFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Operation], error) {
	err := errors.Join(tenant.Validate(), f.Owner.Validate())
	if err == nil && f.Intent != "" && !hyperlocal.ValidID(f.Intent) {
		err = hyperlocal.Invalid("payment", "intent", "an intent id is a UUID")
	}
	if err != nil {
		return hyperlocal.Page[Operation]{}, err
	}
	return s.store.ListOperations(ctx, tenant, f, p)
}

// Movements returns what moved under an intent, oldest first.
func (s *Service) Movements(ctx context.Context, tenant hyperlocal.TenantID, intent string) ([]Movement, error) {
	if err := checkIDs(tenant, []string{intent}); err != nil {
		return nil, err
	}
	return s.store.Movements(ctx, tenant, intent)
}

// PendingWebhooks counts the stored webhooks that are not processed yet.
func (s *Service) PendingWebhooks(ctx context.Context, tenant hyperlocal.TenantID) (int, error) {
	if err := tenant.Validate(); err != nil {
		return 0, err
	}
	return s.store.CountWebhooks(ctx, tenant, WebhookPending)
}

// Webhooks lists stored webhooks newest first; state "" does not restrict.
func (s *Service) Webhooks(ctx context.Context, tenant hyperlocal.TenantID, state WebhookState, p hyperlocal.PageRequest) (hyperlocal.Page[Webhook], error) {
	if err := tenant.Validate(); err != nil {
		return hyperlocal.Page[Webhook]{}, err
	}
	return s.store.ListWebhooks(ctx, tenant, state, p)
}

func (s *Service) load(ctx context.Context, tenant hyperlocal.TenantID, id string) (Operation, error) {
	found, err := s.store.Operations(ctx, tenant, id)
	if err != nil {
		return Operation{}, err
	}
	if len(found) == 0 {
		return Operation{}, ErrNotFound.With("operation", id)
	}
	return found[0], nil
}

func checkIDs(tenant hyperlocal.TenantID, ids []string) error {
	if err := tenant.Validate(); err != nil {
		return err
	}
	if len(ids) > MaxBatch {
		return hyperlocal.Invalid("payment", "ids", "at most 4000 at a time")
	}
	for _, id := range ids {
		if !hyperlocal.ValidID(id) {
			return ErrNotFound.With("id", id)
		}
	}
	return nil
}

func checkOwner(tenant hyperlocal.TenantID, owner hyperlocal.Ref) error {
	if err := tenant.Validate(); err != nil {
		return err
	}
	if owner.IsZero() {
		return hyperlocal.Invalid("payment", "owner", "is required")
	}
	return owner.Validate()
}

// begun remembers, in this process only, the operations whose lease was taken by their own
// Begin: whoever asks for one of them first is their executor and needs no transaction for
// the right to it. Losing the memory costs nothing but the time until the lease ends.
type begun struct {
	mu  sync.Mutex
	ops map[Key]Operation
}

// Key names an operation across tenants.
type Key struct {
	Tenant hyperlocal.TenantID
	ID     string
}

const maxBegun = 10_000

func (b *begun) add(ops []Operation, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ops == nil {
		b.ops = make(map[Key]Operation)
	}
	if len(b.ops)+len(ops) > maxBegun {
		for k, op := range b.ops {
			if !op.NextAt.After(now) {
				delete(b.ops, k)
			}
		}
	}
	for _, op := range ops {
		if len(b.ops) < maxBegun {
			b.ops[Key{op.Tenant, op.ID}] = op
		}
	}
}

func (b *begun) take(tenant hyperlocal.TenantID, id string, now time.Time) (Operation, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := Key{tenant, id}
	op, ok := b.ops[k]
	delete(b.ops, k)
	return op, ok && op.NextAt.After(now)
}

func sortedOwners(refs []hyperlocal.TenantRef) []hyperlocal.TenantRef {
	slices.SortFunc(refs, compareOwners)
	return slices.Compact(refs)
}
