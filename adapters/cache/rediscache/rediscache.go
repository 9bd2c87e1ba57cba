package rediscache

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/cache"
)

// Config configures a [Layer]. Client is required.
type Config struct {
	Client redis.UniversalClient // the host closes it
	Prefix string                // of every key; default "hyperlocal:cache:"
	IDs    hyperlocal.IDSource   // makes the marks; default: random
}

// Layer is the shared layer.
type Layer struct {
	client redis.UniversalClient
	prefix string
	ids    hyperlocal.IDSource
}

var _ cache.Shared = (*Layer)(nil)

// keepMarks is how long a mark that nobody asks for is kept. A new one costs a load.
const keepMarks = time.Hour

// New returns a layer. It does not talk to Redis. Error: code invalid.
func New(c Config) (*Layer, error) {
	if c.Client == nil {
		return nil, hyperlocal.Invalid("cache", "client", "the shared cache needs a Redis client")
	}
	if c.IDs == nil {
		c.IDs = hyperlocal.RandomIDs{}
	}
	return &Layer{client: c.Client, prefix: cmp.Or(c.Prefix, "hyperlocal:cache:"), ids: c.IDs}, nil
}

// group is the part of the key that the answers about a thing have in common. Its braces make
// a cluster keep them in one place. Names of others cannot be made to collide: they are hashed.
func (l *Layer) group(tenant hyperlocal.TenantID, about hyperlocal.Ref) string {
	return l.prefix + "{" + digest(string(tenant), about.Kind, about.ID) + "}"
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Read implements [cache.Shared].
func (l *Layer) Read(ctx context.Context, tenant hyperlocal.TenantID, about hyperlocal.Ref, name string) (answer []byte, found bool, mark string, err error) {
	group := l.group(tenant, about)
	values, err := l.client.MGet(ctx, group, group+digest(name)).Result()
	if err != nil {
		return nil, false, "", unavailable(err)
	}
	mark, ok := values[0].(string)
	if !ok {
		mark, err = l.begin(ctx, group)
		return nil, false, mark, err
	}
	// An answer is stored behind its mark and a line feed, which no mark holds.
	stored, _ := values[1].(string)
	before, after, ok := bytes.Cut([]byte(stored), []byte{'\n'})
	if !ok || string(before) != mark {
		return nil, false, mark, nil
	}
	return after, true, mark, nil
}

// begin gives a group without a mark its first one, or returns what another process gave it
// meanwhile.
func (l *Layer) begin(ctx context.Context, group string) (string, error) {
	mark := l.ids.NewID()
	err := l.client.SetArgs(ctx, group, mark, redis.SetArgs{Mode: "NX", Get: false, TTL: keepMarks}).Err()
	if err == nil {
		return mark, nil
	}
	if !errors.Is(err, redis.Nil) {
		return "", unavailable(err)
	}
	mark, err = l.client.Get(ctx, group).Result()
	return mark, unavailable(err)
}

// Write implements [cache.Shared].
func (l *Layer) Write(ctx context.Context, tenant hyperlocal.TenantID, about hyperlocal.Ref, name, mark string, answer []byte, ttl time.Duration) error {
	stored := make([]byte, 0, len(mark)+1+len(answer))
	stored = append(append(append(stored, mark...), '\n'), answer...)
	return unavailable(l.client.Set(ctx, l.group(tenant, about)+digest(name), stored, ttl).Err())
}

// Renew implements [cache.Shared].
func (l *Layer) Renew(ctx context.Context, tenant hyperlocal.TenantID, about ...hyperlocal.Ref) error {
	_, err := l.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, ref := range about {
			p.Set(ctx, l.group(tenant, ref), l.ids.NewID(), keepMarks)
		}
		return nil
	})
	return unavailable(err)
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return hyperlocal.NewError(hyperlocal.CodeUnavailable, "cache/redis", "Redis cannot be used now").WithCause(err)
}
