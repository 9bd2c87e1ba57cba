package catalog

import (
	"context"
	"errors"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Config is what a Service is made of. Store, Tx and Outbox are required and share one
// database.
type Config struct {
	Store  Store
	Tx     hyperlocal.TxRunner
	Outbox hyperlocal.Outbox
	Clock  hyperlocal.Clock    // nil: the machine's
	IDs    hyperlocal.IDSource // nil: random
}

// Service is the use cases of this context. It is safe for concurrent use. Every command
// joins the transaction of its ctx or runs in one of its own; on an error nothing of the
// command is changed. Whatever belongs to another merchant is not found.
type Service struct {
	store  Store
	tx     hyperlocal.TxRunner
	outbox hyperlocal.Outbox
	clock  hyperlocal.Clock
	ids    hyperlocal.IDSource
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
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if err := hyperlocal.SameScope(c.Tx, c.Store, c.Outbox); err != nil {
		return nil, err
	}
	s := &Service{store: c.Store, tx: c.Tx, outbox: c.Outbox, clock: c.Clock, ids: c.IDs}
	if s.clock == nil {
		s.clock = hyperlocal.SystemClock{}
	}
	if s.ids == nil {
		s.ids = hyperlocal.RandomIDs{}
	}
	return s, nil
}

// TxScope implements [hyperlocal.Scoped].
func (s *Service) TxScope() hyperlocal.Scope {
	return hyperlocal.ScopeOf(s.tx)
}

// check is for what every command of a merchant carries.
func check(tenant hyperlocal.TenantID, actor hyperlocal.Actor, merchant hyperlocal.Ref) error {
	if err := tenant.Validate(); err != nil {
		return err
	}
	if err := actor.Validate(); err != nil {
		return err
	}
	return checkMerchant(merchant)
}

// inShop runs fn in a transaction that holds the merchant's shop, and with it its catalogue.
func (s *Service) inShop(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref,
	fn func(ctx context.Context, shop Shop) error,
) error {
	return s.tx.WithinTx(ctx, func(ctx context.Context) error {
		shop, ok, err := s.store.LockShop(ctx, tenant, merchant)
		if err != nil {
			return err
		}
		if !ok {
			return ErrShopNotFound.With("merchant", merchant.ID)
		}
		return fn(ctx, shop)
	})
}

// current refuses a version that is not the present one. Zero is any.
func current(wanted, present int64) error {
	if wanted != 0 && wanted != present {
		return ErrStale.With("version", present)
	}
	return nil
}
