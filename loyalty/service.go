package loyalty

import (
	"errors"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxPending bounds how long points may wait before they can be spent: ten years.
const MaxPending = 10 * 366 * 24 * time.Hour

// Config says what a loyalty programme is made of. Store, Tx and Journal are required.
type Config struct {
	Store   Store
	Tx      hyperlocal.TxRunner
	Journal Journal
	Clock   hyperlocal.Clock    // default: the system's
	IDs     hyperlocal.IDSource // default: random
	// Pending is how long earned points wait before they may be spent, such as the time in
	// which an order can be returned. Default: not at all.
	Pending time.Duration
	// Expiry is how long points live from then on. Default: for ever. A change holds for lots
	// that are made afterwards.
	Expiry Expiry
}

// Service is a loyalty programme. It is safe for concurrent use.
type Service struct {
	store   Store
	tx      hyperlocal.TxRunner
	journal Journal
	clock   hyperlocal.Clock
	ids     hyperlocal.IDSource
	pending time.Duration
	expiry  Expiry
}

// New returns a loyalty programme. Errors, all reported together: code invalid for what is
// missing or makes no sense, ErrUnbounded if the journal says that a member's account is not
// bounded, hyperlocal.ErrMixedScopes if the parts do not commit together.
func New(c Config) (*Service, error) {
	var problems []error
	if c.Store == nil {
		problems = append(problems, hyperlocal.Invalid("loyalty", "store", "a loyalty programme needs a Store"))
	}
	if c.Tx == nil {
		problems = append(problems, hyperlocal.Invalid("loyalty", "tx", "a loyalty programme needs a TxRunner"))
	}
	if c.Journal == nil {
		problems = append(problems, hyperlocal.Invalid("loyalty", "journal", "a loyalty programme needs a Journal"))
	}
	if c.Pending < 0 || c.Pending > MaxPending {
		problems = append(problems, hyperlocal.Invalid("loyalty", "pending", "points wait for zero to ten years"))
	}
	if j, ok := c.Journal.(interface {
		Bounded(account, asset string) bool
	}); ok &&
		!j.Bounded(AccountOf(hyperlocal.NewRef("customer", "0")), Asset) {
		problems = append(problems, ErrUnbounded)
	}
	problems = append(problems, hyperlocal.SameScope(c.Store, c.Tx, c.Journal))
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	s := &Service{
		store: c.Store, tx: c.Tx, journal: c.Journal, clock: c.Clock, ids: c.IDs, pending: c.Pending, expiry: c.Expiry,
	}
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
	return hyperlocal.ScopeOf(s.store)
}
