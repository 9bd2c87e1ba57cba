package loyalty

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// SpendKind is the kind of the [hyperlocal.Spend] entries that Participant handles.
const SpendKind = "points"

// OrderReference returns the reference under which the placement of an order spends points,
// for Restore when they are to be given back otherwise than by the end of the order.
func OrderReference(order hyperlocal.Ref) string { return order.String() }

// Participant returns the part that loyalty takes in the placement of orders: it spends the
// points that a placement asks for, in the transaction of the placement.
//
// Check refuses a placement with ErrInsufficient; with ErrNotYours if the points are not the
// customer's; with code invalid for an amount outside 1 to MaxPoints. Several entries of one
// placement are added up. Placements without points cost nothing.
//
// It gives the points back when the order service says that an order has ended without being
// served, as Restore does, in the transaction of ctx and in a number of statements that does
// not depend on the number of orders. An order that spent none is passed over. Errors: code
// invalid, what Journal and Store report.
func (s *Service) Participant() hyperlocal.Participant { return participant{s} }

type participant struct{ s *Service }

// Rank implements [hyperlocal.Participant]: accounts are locked first, lots read afterwards.
func (p participant) Rank() hyperlocal.Rank { return hyperlocal.RankAccount }

// SpendKinds names the kind of Spend that this participant handles.
func (p participant) SpendKinds() []string { return []string{SpendKind} }

// GiveBack restores the points that the placements of orders spent.
func (p participant) GiveBack(ctx context.Context, returns ...hyperlocal.SpendReturn) error {
	commands := make([]RestoreCommand, len(returns))
	for i, r := range returns {
		commands[i] = RestoreCommand{Tenant: r.Tenant, Reference: OrderReference(r.Order), At: r.At, Actor: r.Actor}
		if err := commands[i].validate(); err != nil {
			return err
		}
	}
	return p.s.tx.WithinTx(ctx, func(ctx context.Context) error {
		_, err := p.s.restoreAll(ctx, commands)
		return err
	})
}

// Decide implements [hyperlocal.Participant].
func (p participant) Decide(ctx context.Context, batch []hyperlocal.Placement) (hyperlocal.Decision, error) {
	d := &decision{claims: make([]claim, len(batch))}
	var members []hyperlocal.TenantRef
	for i, b := range batch {
		d.claims[i] = newClaim(b)
		if c := d.claims[i]; c.points > 0 && c.err == nil {
			members = append(members, c.member)
		}
	}
	if len(members) == 0 {
		return d, nil
	}
	if err := p.s.lock(ctx, members); err != nil {
		return nil, err
	}
	d.sheet = p.s.newSheet()
	if err := d.sheet.read(ctx, LotQuery{Open: members}); err != nil {
		return nil, err
	}
	return d, nil
}

// claim is what one placement asks for.
type claim struct {
	member    hyperlocal.TenantRef
	order     hyperlocal.Ref
	reference string
	points    int64 // 0 if it asks for none
	at        time.Time
	actor     hyperlocal.Actor
	err       error
}

func newClaim(b hyperlocal.Placement) claim {
	c := claim{
		member: hyperlocal.TenantRef{Tenant: b.Tenant, Ref: b.Customer}, order: b.Order,
		at: hyperlocal.Instant(b.At), actor: b.Actor,
	}
	for _, sp := range b.Spend {
		if sp.Kind != SpendKind {
			continue
		}
		if sp.Ref.IsZero() || sp.Ref != b.Customer {
			c.err = ErrNotYours.With("member", sp.Ref)
			return c
		}
		if c.err = checkPoints(sp.Amount); c.err != nil {
			return c
		}
		if c.points += sp.Amount; c.points > MaxPoints {
			c.err = checkPoints(c.points)
			return c
		}
	}
	if c.points == 0 {
		return c
	}
	cmd := SpendCommand{
		Tenant: b.Tenant, Member: b.Customer, Reference: OrderReference(b.Order), Subject: b.Order,
		Points: c.points, At: b.At, Actor: b.Actor,
	}
	c.reference, c.err = cmd.Reference, cmd.validate()
	return c
}

// decision spends in memory what is granted.
type decision struct {
	claims []claim
	sheet  *sheet // nil if nobody asks for points
}

// Check implements [hyperlocal.Decision].
func (d *decision) Check(i int) error {
	c := d.claims[i]
	if c.err != nil || c.points == 0 {
		return c.err
	}
	if have := d.sheet.available(c.member, d.when(c)); have < c.points {
		return insufficient(have, c.points)
	}
	return nil
}

// Take implements [hyperlocal.Decision].
func (d *decision) Take(i int) {
	c := d.claims[i]
	if c.err != nil || c.points == 0 {
		return
	}
	d.sheet.spend(c.member, c.reference, c.order, c.points, d.when(c), c.actor)
}

// Apply implements [hyperlocal.Decision].
func (d *decision) Apply(ctx context.Context) error {
	if d.sheet == nil || len(d.sheet.postings) == 0 {
		return nil
	}
	return d.sheet.save(ctx)
}

func (d *decision) when(c claim) time.Time {
	if c.at.IsZero() {
		return d.sheet.recorded
	}
	return c.at
}
