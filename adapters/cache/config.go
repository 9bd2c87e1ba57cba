package cache

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Config configures a [Cache]. The zero value is a layer in this process alone that nothing
// but time empties.
type Config struct {
	// Affected returns the things whose answers an event makes out of date, none for an event
	// that changes no answer; httpapi.Affected is the one for the HTTP edge. Without it,
	// answers only go out of date by time.
	Affected func(hyperlocal.Envelope) []hyperlocal.Ref

	TTL         time.Duration // how old an answer gets; default 5 s
	NegativeTTL time.Duration // how long "not found" is believed; default 1 s, negative for not at all
	// TTLs shortens TTL, and NegativeTTL, for answers about things of a kind; a shared layer
	// is not used for them.
	TTLs map[string]time.Duration

	MaxBytes    int           // of answers and their names; default 8 MiB
	MaxEntries  int           // default 20,000
	LoadTimeout time.Duration // of one load; default 10 s

	// Shared is a second layer; nil for none.
	Shared        Shared
	SharedTTL     time.Duration // how long it keeps an answer; default 30 s
	SharedTimeout time.Duration // of one call to it; default 50 ms

	Clock  hyperlocal.Clock // default: the system's
	Logger *slog.Logger     // told when the shared layer fails and is well again; nil: silent
}

// Shared is a layer of answers that several processes share. Its implementations are safe for
// concurrent use. An error means that the layer cannot be used now; the cache then does
// without it.
//
// A group, which is a tenant and a thing, has a mark: a word that is renewed with every
// Renew and never occurs again. An answer is stored with the mark that was read before its
// load began and is valid as long as the group still has that mark.
type Shared interface {
	// Read returns the group's mark, which it makes if there is none, and the answer of that
	// name if there is one with this mark; else found is false.
	Read(ctx context.Context, tenant hyperlocal.TenantID, about hyperlocal.Ref, name string) (answer []byte, found bool, mark string, err error)
	// Write keeps an answer for a time.
	Write(ctx context.Context, tenant hyperlocal.TenantID, about hyperlocal.Ref, name, mark string, answer []byte, ttl time.Duration) error
	// Renew gives each group a new mark: when it returns, no answer that was stored before is
	// read again.
	Renew(ctx context.Context, tenant hyperlocal.TenantID, about ...hyperlocal.Ref) error
}

func (c *Config) setDefaults() {
	setDefault(&c.TTL, 5*time.Second)
	setDefault(&c.NegativeTTL, time.Second)
	setDefault(&c.MaxBytes, 8<<20)
	setDefault(&c.MaxEntries, 20_000)
	setDefault(&c.LoadTimeout, 10*time.Second)
	setDefault(&c.SharedTTL, 30*time.Second)
	setDefault(&c.SharedTimeout, 50*time.Millisecond)
	if c.Affected == nil {
		c.Affected = func(hyperlocal.Envelope) []hyperlocal.Ref { return nil }
	}
	if c.Clock == nil {
		c.Clock = hyperlocal.SystemClock{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate reports everything that is wrong at once.
func (c *Config) validate() error {
	var wrong []error
	positive := func(ok bool, field string) {
		if !ok {
			wrong = append(wrong, hyperlocal.Invalid("cache", field, "it must be positive"))
		}
	}
	positive(c.TTL > 0, "ttl")
	positive(c.MaxBytes > 0, "max_bytes")
	positive(c.MaxEntries > 0, "max_entries")
	positive(c.LoadTimeout > 0, "load_timeout")
	positive(c.SharedTTL > 0, "shared_ttl")
	positive(c.SharedTimeout > 0, "shared_timeout")
	for _, ttl := range c.TTLs {
		positive(ttl > 0, "ttls")
	}
	return errors.Join(wrong...)
}
