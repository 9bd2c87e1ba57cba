package ledger

import (
	"errors"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Config says what a ledger is made of. Store and Tx are required.
type Config struct {
	Store Store
	Tx    hyperlocal.TxRunner
	Clock hyperlocal.Clock    // default: the system's
	IDs   hyperlocal.IDSource // default: random
	// Bounded are the rules for accounts with a minimum; the first that covers an account
	// holds. nil means DefaultBounds, an empty slice means no rules.
	Bounded []Bound
	// Intake, if set, commits single postings of concurrent callers together. Close drains it.
	Intake *Intake
}

// Service is the ledger. It is safe for concurrent use.
type Service struct {
	store   Store
	tx      hyperlocal.TxRunner
	clock   hyperlocal.Clock
	ids     hyperlocal.IDSource
	bounded bounds
	gather  *hyperlocal.Gather[*hyperlocal.Posting, Result]
}

// New returns a ledger. Errors, all reported together: code invalid for what is missing or
// makes no sense, hyperlocal.ErrMixedScopes if Store and Tx do not commit together.
func New(c Config) (*Service, error) {
	var problems []error
	if c.Store == nil {
		problems = append(problems, hyperlocal.Invalid("ledger", "store", "a ledger needs a Store"))
	}
	if c.Tx == nil {
		problems = append(problems, hyperlocal.Invalid("ledger", "tx", "a ledger needs a TxRunner"))
	}
	problems = append(problems, hyperlocal.SameScope(c.Store, c.Tx))
	rules := c.Bounded
	if rules == nil {
		rules = DefaultBounds()
	}
	for _, b := range rules {
		problems = append(problems, b.Validate())
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	s := &Service{store: c.Store, tx: c.Tx, clock: c.Clock, ids: c.IDs, bounded: append(bounds(nil), rules...)}
	if s.clock == nil {
		s.clock = hyperlocal.SystemClock{}
	}
	if s.ids == nil {
		s.ids = hyperlocal.RandomIDs{}
	}
	return s, s.openIntake(c.Intake)
}

// TxScope implements [hyperlocal.Scoped].
func (s *Service) TxScope() hyperlocal.Scope {
	return hyperlocal.ScopeOf(s.store)
}

// Bounded reports whether a rule keeps the account from falling below a minimum.
func (s *Service) Bounded(account, asset string) bool {
	_, ok := s.bounded.of(Account{Path: account, Asset: asset})
	return ok
}
