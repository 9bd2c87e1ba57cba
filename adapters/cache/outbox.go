package cache

import (
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Outbox returns the outbox as services should use it: with every commit, what the events
// make out of date is forgotten at once, so that whoever made a change and reads again sees
// it. What a host commits in its own transaction is forgotten when its events come in.
func (c *Cache) Outbox(o hyperlocal.Outbox) hyperlocal.Outbox { return droppingOutbox{o, c} }

type droppingOutbox struct {
	hyperlocal.Outbox

	cache *Cache
}

// Append implements [hyperlocal.Outbox].
func (o droppingOutbox) Append(ctx context.Context, envelopes ...hyperlocal.Envelope) error {
	if err := o.Outbox.Append(ctx, envelopes...); err != nil {
		return err
	}
	var groups []group
	seen := make(map[group]bool)
	for i := range envelopes {
		for _, ref := range o.cache.c.Affected(envelopes[i]) {
			if g := (group{envelopes[i].Tenant, ref}); !seen[g] {
				seen[g] = true
				groups = append(groups, g)
			}
		}
	}
	if len(groups) == 0 {
		return nil
	}
	hyperlocal.AfterCommit(ctx, func() {
		byTenant := make(map[hyperlocal.TenantID][]hyperlocal.Ref, 1)
		for _, g := range groups {
			byTenant[g.tenant] = append(byTenant[g.tenant], g.about)
		}
		for tenant, about := range byTenant {
			o.cache.Forget(ctx, tenant, about...)
		}
	})
	return nil
}

// TxScope implements [hyperlocal.Scoped].
func (o droppingOutbox) TxScope() hyperlocal.Scope { return hyperlocal.ScopeOf(o.Outbox) }

// Topics returns the topics on which such events travel, each once, for eventbus.Listen.
func Topics(events ...hyperlocal.Event) []string {
	var out []string
	for _, ev := range events {
		if t := (hyperlocal.Envelope{Name: ev.EventName()}).Topic(); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}
