package loyaltytest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// Play earns, refunds, spends, restores and expires steps times at random, on a tenant of its
// own, with repeated and late calls among them, and audits the members again and again. What
// a member may spend is predicted. pick returns a number from 0 to n-1 and is all the
// randomness there is.
func Play(t TB, ctx context.Context, h Harness, tenant hyperlocal.TenantID, steps int, pick func(what string, n int) int) { //nolint:revive // t comes first
	t.Helper()
	now := &clock{now: time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC)}
	expiry, err := loyalty.ParseExpiry([]string{"10 days", "1 month", "never"}[pick("expiry", 3)])
	if err != nil {
		t.Fatalf("expiry: %v", err)
	}
	points, err := loyalty.New(loyalty.Config{
		Store: h.Store, Tx: h.Tx, Journal: h.Journal, Clock: now, Expiry: expiry, Pending: time.Duration(pick("pending", 2)) * day,
	})
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	p := &player{
		TB: t, ctx: ctx, points: points, tenant: tenant, pick: pick, members: []hyperlocal.Ref{ann, bob},
		targets: map[string]int64{}, versions: map[string]int64{}, spent: map[string]loyalty.Spending{},
	}
	for step := range steps {
		switch pick("operation", 9) {
		case 0, 1, 2:
			p.earn(step)
		case 3, 4, 5:
			p.spend(step)
		case 6:
			p.restore()
		case 7:
			now.advance(time.Duration(1+pick("days", 15)) * day)
		default:
			p.expire()
		}
		for _, m := range p.members {
			audit(t, ctx, h, points, tenant, m)
		}
	}
	p.settle()
}

type player struct {
	TB
	ctx      context.Context
	points   *loyalty.Service
	tenant   hyperlocal.TenantID
	pick     func(what string, n int) int
	members  []hyperlocal.Ref
	targets  map[string]int64 // by source
	versions map[string]int64
	spent    map[string]loyalty.Spending
	names    []string // keys of spent, in order
}

// earn sets a target: a newer one, the same again, or one that comes late.
func (p *player) earn(step int) {
	p.Helper()
	source := fmt.Sprint("o", p.pick("source", 6))
	member := p.members[0] // a source belongs to one member
	if source >= "o3" {
		member = p.members[1]
	}
	version := p.versions[source] + int64(p.pick("version", 4)) - 1 // late, the same, newer, much newer
	target := int64(p.pick("points", 60))
	e := loyalty.Earned{
		Tenant: p.tenant, Member: member, Source: order(source), SourceVersion: max(version, 1), Points: target, Actor: actor,
	}
	if err := p.points.SetEarned(p.ctx, e); err != nil {
		p.Fatalf("step %d: earning: %v", step, err)
	}
	if e.SourceVersion > p.versions[source] {
		p.versions[source], p.targets[source] = e.SourceVersion, target
	}
}

func (p *player) spend(step int) {
	p.Helper()
	member := p.members[p.pick("member", 2)]
	before, err := p.points.Balance(p.ctx, p.tenant, member)
	if err != nil {
		p.Fatalf("balance: %v", err)
	}
	c := loyalty.SpendCommand{
		Tenant: p.tenant, Member: member, Reference: fmt.Sprint("s", step), Points: int64(1 + p.pick("points", 50)), Actor: actor,
	}
	s, err := p.points.Spend(p.ctx, c)
	if c.Points > before.Spendable {
		if !errors.Is(err, loyalty.ErrInsufficient) {
			p.Fatalf("spent %d of %+v: %v", c.Points, before, err)
		}
		return
	}
	if err != nil {
		p.Fatalf("could not spend %d of %+v: %v", c.Points, before, err)
	}
	if p.pick("again", 3) == 0 {
		if again, err := p.points.Spend(p.ctx, c); err != nil || !again.Replayed {
			p.Fatalf("spent again: %+v, %v", again, err)
		}
	}
	p.spent[c.Reference] = s
	p.names = append(p.names, c.Reference)
}

func (p *player) restore() {
	p.Helper()
	if len(p.names) == 0 {
		return
	}
	name := p.names[p.pick("spending", len(p.names))]
	s, err := p.points.Restore(p.ctx, loyalty.RestoreCommand{Tenant: p.tenant, Reference: name, Actor: actor})
	if err != nil {
		p.Fatalf("restoring: %v", err)
	}
	if done := !p.spent[name].RestoredAt.IsZero(); s.Replayed != done {
		p.Fatalf("restored %+v, replayed should be %v", s, done)
	}
	p.spent[name] = s
}

func (p *player) expire() {
	p.Helper()
	for {
		n, err := p.points.Expire(p.ctx, 1+p.pick("limit", 3))
		if err != nil {
			p.Fatalf("expiring: %v", err)
		}
		if n == 0 {
			break
		}
	}
	for _, m := range p.members {
		if b, err := p.points.Balance(p.ctx, p.tenant, m); err != nil || b.Lapsed != 0 {
			p.Fatalf("after expiring %v has %+v, error %v", m, b, err)
		}
	}
}

// settle checks that each lot is at the newest target.
func (p *player) settle() {
	p.Helper()
	for _, m := range p.members {
		lots, err := allLots(p.ctx, p.points, p.tenant, m)
		if err != nil {
			p.Fatalf("lots: %v", err)
		}
		for _, l := range lots {
			if l.Earned != p.targets[l.Source.ID] || l.SourceVersion != p.versions[l.Source.ID] {
				p.Fatalf("the newest target is %d of version %d: %+v", p.targets[l.Source.ID], p.versions[l.Source.ID], l)
			}
		}
	}
}
