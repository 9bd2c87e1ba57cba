package cache

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// sharedPause is how long the shared layer is left alone after a call failed.
const sharedPause = time.Second

// shared is the shared layer with its failures taken care of.
type shared struct {
	layer   Shared // nil for none
	timeout time.Duration
	ttl     time.Duration
	log     *slog.Logger

	mu     sync.Mutex
	failed time.Time // when the last call did, by the machine's clock; zero once one succeeded
	untold time.Time // when a drop could last not be told; zero for never
}

// callable reports whether the layer may be called now.
func (s *shared) callable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed.IsZero() || hyperlocal.Since(s.failed) >= sharedPause
}

// believable reports whether the layer may be called, and was told of every drop of this
// process since the oldest answer that it can hold.
func (s *shared) believable() bool {
	if s.layer == nil || !s.callable() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.untold.IsZero() || hyperlocal.Since(s.untold) >= s.ttl
}

// heard notes how a call went.
func (s *shared) heard(ctx context.Context, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil && !s.failed.IsZero():
		s.failed = time.Time{}
		s.log.InfoContext(ctx, "the shared cache answers again")
	case err != nil:
		if s.failed.IsZero() {
			s.log.WarnContext(ctx, "the shared cache cannot be used; everything is read from the database", "error", err)
		}
		s.failed = hyperlocal.Stopwatch()
	}
}

func (s *shared) read(ctx context.Context, k key) (answer []byte, found bool, mark string) {
	if !s.believable() {
		return nil, false, ""
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var err error
	answer, found, mark, err = s.layer.Read(ctx, k.tenant, k.about, k.name)
	s.heard(ctx, err)
	if err != nil {
		return nil, false, ""
	}
	return answer, found, mark
}

func (s *shared) write(ctx context.Context, k key, mark string, answer []byte, ttl time.Duration) {
	if !s.believable() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	s.heard(ctx, s.layer.Write(ctx, k.tenant, k.about, k.name, mark, answer, ttl))
}

// renew tells the layer that groups were dropped. If it cannot be told, it is not believed
// until all that it may have held by now has expired.
func (s *shared) renew(ctx context.Context, tenant hyperlocal.TenantID, about []hyperlocal.Ref) {
	if s.layer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	if s.callable() {
		err := s.layer.Renew(ctx, tenant, about...)
		s.heard(ctx, err)
		if err == nil {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untold = hyperlocal.Stopwatch()
}
