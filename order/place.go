package order

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Place places one order; see PlaceMany. The error is the result's.
//
// With an [Intake] it is committed together with what others place at that moment.
func (s *Service) Place(ctx context.Context, c PlaceCommand) (PlaceResult, error) {
	if s.intake != nil && !hyperlocal.InTx(ctx) {
		return s.intake.placeOne(ctx, &c)
	}
	results, err := s.PlaceMany(ctx, []PlaceCommand{c})
	if err != nil {
		return PlaceResult{}, err
	}
	return results[0], results[0].Err
}

// PlaceMany places a batch of at most MaxBatch orders in one transaction and in a constant
// number of statements. It answers per command, in the order given: a refused one never
// fails its neighbours, and what it asked for is free for those behind it. The error is for
// the batch: nothing was placed.
//
// A repeated key or external reference is answered with the order that exists, Replayed,
// also within the batch. A refusal frees its key in the same transaction.
//
// Refusals carry code invalid for bad input, ErrExternalConflict, ErrKeyReused or
// ErrKeyInProgress, the participants' own errors (such as insufficient stock), the
// catalogue's errors, or ErrNotConfigured.
func (s *Service) PlaceMany(ctx context.Context, commands []PlaceCommand) ([]PlaceResult, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	if len(commands) > MaxBatch {
		return nil, invalid("batch", "a batch has at most 1000 commands")
	}
	items := make([]placing, len(commands))
	for i := range commands {
		items[i] = s.prepare(&commands[i])
	}
	results, err := s.placeAll(ctx, items, false)
	if err != nil {
		return nil, err
	}
	if err := s.config.Hook(ctx, "place.after_commit"); err != nil {
		return nil, err
	}
	return results, nil
}

// placeAll prices prepared commands and places them in one transaction. gathered: they are
// of several callers, and may be refused from memory.
func (s *Service) placeAll(ctx context.Context, items []placing, gathered bool) ([]PlaceResult, error) {
	if err := s.quote(ctx, items); err != nil {
		return nil, err
	}
	for i := range items {
		items[i].draft(s.config.Policy.Rounding)
	}
	shareKeys(items, placingAnswer)

	var results []PlaceResult
	err := again(ctx, func() error {
		return s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
			b := placement{s: s, items: slices.Clone(items), now: s.config.Clock.Now(), gathered: gathered}
			if err := b.run(ctx); err != nil {
				return err
			}
			results = b.results()
			return s.config.Hook(ctx, "place.before_commit")
		})
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// maxCollisions bounds how often a placement is run again because a number or an external
// reference was taken a moment ago.
const maxCollisions = 5

// again runs fn again when a name was taken between looking and writing: the next run draws
// another number, and finds the order that has the external reference.
func again(ctx context.Context, fn func() error) error {
	var err error
	for range maxCollisions {
		if err = fn(); !errors.Is(err, ErrNumberTaken) && !errors.Is(err, ErrExternalTaken) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// placing is one command on its way. It is copied for every run of the transaction.
type placing struct {
	answer
	command *PlaceCommand
	lines   []PlaceLine // with the offers filled in
	order   Order       // without identity, state and times
	drafted bool        // order is there
	cause   hyperlocal.Cause
}

func placingAnswer(p *placing) *answer { return &p.answer }

// prepare validates a command and digests it.
func (s *Service) prepare(c *PlaceCommand) placing {
	p := placing{command: c, answer: answer{twin: -1}}
	if p.err = c.validate(); p.err != nil {
		return p
	}
	p.order.Fingerprint = c.content()
	p.lines = c.Lines
	if c.Key != "" {
		p.key = keyOf(c.Tenant, c.Actor, "order.place", c.Key, c.request(p.order.Fingerprint))
	}
	return p
}

// draft prices the order.
func (p *placing) draft(rounding hyperlocal.Rounding) {
	if p.err != nil || p.drafted {
		return
	}
	p.drafted = true
	fingerprint := p.order.Fingerprint
	p.order, p.err = draft(p.command, p.lines, rounding)
	p.order.Fingerprint = fingerprint
}

// placement is one run of the transaction of a batch.
type placement struct {
	s        *Service
	now      time.Time
	items    []placing
	gathered bool

	orders  []Order
	history []HistoryEntry
	events  []hyperlocal.Envelope
	claimed []*answer // those whose keys are ours

	stock  hyperlocal.Decision // of the stock alone; nil if no line needs any
	leaves []stockMove         // of orders that need nobody's consent: their stock leaves at once
}

// run takes the steps in the lock order: keys, then what the participants lock.
func (b *placement) run(ctx context.Context) error {
	var err error
	if b.claimed, err = claimKeys(ctx, b.s, b.items, placingAnswer); err != nil {
		return err
	}
	if err := b.findExternal(ctx); err != nil {
		return err
	}
	decisions, err := b.decide(ctx)
	if err != nil {
		return err
	}
	return b.write(ctx, decisions)
}

// findExternal answers commands whose external reference has its order already.
func (b *placement) findExternal(ctx context.Context) error {
	refs := make(map[hyperlocal.TenantID][]hyperlocal.External)
	var tenants []hyperlocal.TenantID
	for i := range b.items {
		p := &b.items[i]
		if p.done() || p.command.External.IsZero() {
			continue
		}
		t := p.command.Tenant
		if refs[t] == nil {
			tenants = append(tenants, t)
		}
		refs[t] = append(refs[t], p.command.External)
	}
	for _, t := range tenants {
		found, err := b.s.config.Store.ByExternal(ctx, t, refs[t]...)
		if err != nil {
			return err
		}
		known := make(map[hyperlocal.External]*Order, len(found))
		for k := range found {
			known[found[k].External] = &found[k]
		}
		for i := range b.items {
			p := &b.items[i]
			if p.done() || p.command.Tenant != t || p.command.External.IsZero() {
				continue
			}
			if o := known[p.command.External]; o != nil {
				p.repeat(o)
			}
		}
	}
	return nil
}

// repeat answers with the order that has the external reference, if it was placed with the
// same content.
func (p *placing) repeat(o *Order) {
	if o.Fingerprint != p.order.Fingerprint {
		p.err = ErrExternalConflict.With("order", o.ID)
		return
	}
	p.summary, p.replayed = o.summary(), true
}

// decide asks the participants, first come first served, and creates what all of them grant.
func (b *placement) decide(ctx context.Context) ([]hyperlocal.Decision, error) {
	var open []int
	for i := range b.items {
		if !b.items[i].done() {
			open = append(open, i)
		}
	}
	batch := make([]hyperlocal.Placement, 0, len(open))
	keep := open[:0]
	stocked := false
	for _, i := range open {
		p := &b.items[i]
		b.identify(p)
		ask := p.ask()
		if p.err = b.s.able(&ask); p.err != nil {
			continue
		}
		if b.gathered && p.command.External.IsZero() { // a twin under way elsewhere could have one
			if p.err = b.s.refused(&ask); p.err != nil {
				continue
			}
		}
		stocked = stocked || len(ask.Items) > 0
		batch = append(batch, ask)
		keep = append(keep, i)
	}
	if len(batch) == 0 {
		return nil, nil
	}
	var decisions []hyperlocal.Decision
	for _, part := range b.s.parts {
		if part.stock && !stocked {
			continue // nothing to lock: a round trip saved
		}
		d, err := part.Decide(ctx, batch)
		if err != nil {
			return nil, err
		}
		if part.stock {
			b.stock = d
		}
		decisions = append(decisions, d)
	}
	external := make(map[hyperlocal.TenantRef]*Order)
	for k, i := range keep {
		p := &b.items[i]
		name := hyperlocal.TenantRef{Tenant: p.command.Tenant, Ref: hyperlocal.Ref{Kind: p.command.External.Source, ID: p.command.External.Reference}}
		if o := external[name]; o != nil && !p.command.External.IsZero() {
			p.repeat(o)
			continue
		}
		if p.err = grant(decisions, k); p.err != nil {
			continue
		}
		if err := b.create(ctx, p); err != nil {
			return nil, err
		}
		b.leave(p, k)
		external[name] = &p.order
	}
	return decisions, nil
}

// leave lets the stock of item k go if its order has passed the stage for that already, as
// one that nobody has to pay for may have.
func (b *placement) leave(p *placing, k int) {
	c := change{o: p.order}
	if b.stock == nil || !c.stocked() || b.s.progress[c.o.State] < stage(b.s.config.Policy.CommitOn) {
		return
	}
	if stock, ok := b.stock.(Leaver); ok {
		stock.Leave(k)
		return
	}
	b.leaves = append(b.leaves, c.move(doer{actor: p.command.Actor, at: c.o.PlacedAt}))
}

// grant takes item k from every participant, or from none.
func grant(decisions []hyperlocal.Decision, k int) error {
	for _, d := range decisions {
		if err := d.Check(k); err != nil {
			return err
		}
	}
	for _, d := range decisions {
		d.Take(k)
	}
	return nil
}

// identify gives the order its id and times.
func (b *placement) identify(p *placing) {
	p.order.ID = ID(b.s.config.IDs.NewID())
	p.order.CreatedAt, p.order.UpdatedAt, p.order.PlacedAt = b.now, b.now, b.now
	if at := p.command.At; !at.IsZero() {
		p.order.PlacedAt = hyperlocal.Instant(at)
	}
}

// ask is what the participants see of the order.
func (p *placing) ask() hyperlocal.Placement {
	o := &p.order
	ask := hyperlocal.Placement{
		Tenant: o.Tenant, Order: o.ID.Ref(), Merchant: o.Merchant, Customer: o.Customer, Total: o.Total,
		At: o.PlacedAt, Actor: p.command.Actor, Spend: p.command.Spend, Cause: p.cause,
	}
	ask.Items = demand(o)
	return ask
}

// demand is the stock that an order needs, line by line.
func demand(o *Order) []hyperlocal.ItemQuantity {
	var items []hyperlocal.ItemQuantity
	for i := range o.Lines {
		if l := &o.Lines[i]; l.Item != "" {
			items = append(items, hyperlocal.ItemQuantity{Item: l.Item, Location: l.Location, Quantity: l.Quantity})
		}
	}
	return items
}

// able refuses what no participant would look at: it would be given away for nothing.
func (s *Service) able(ask *hyperlocal.Placement) error {
	if len(ask.Items) > 0 && s.config.Stock == nil {
		return ErrNotConfigured.With("missing", "stock")
	}
	for _, spend := range ask.Spend {
		if !slices.ContainsFunc(s.parts, func(p participant) bool {
			kinds, ok := p.Participant.(Spender)
			if !ok {
				return !p.stock // a stock that names no kinds looks at none
			}
			return slices.Contains(kinds.SpendKinds(), spend.Kind)
		}) {
			return ErrNotConfigured.With("missing", "spend/"+spend.Kind)
		}
	}
	return nil
}

// create gives a granted order its number and its first state.
func (b *placement) create(ctx context.Context, p *placing) error {
	ctx = hyperlocal.ContextWithCause(ctx, p.cause)
	o, actor := &p.order, p.command.Actor
	o.Number = newNumber(b.s.config.IDs, o.PlacedAt)
	o.Version = 1
	o.Spent = append([]hyperlocal.Spend(nil), p.command.Spend...)
	o.State, o.PaymentStatus = Placed, PaymentNoneDue
	if o.Total.Sign() > 0 && !p.command.PayLater {
		row, err := b.s.payment.Fire(ctx, o.PaymentStatus, TriggerOwe, "", PaymentCase{Order: o})
		if err != nil {
			return err
		}
		o.PaymentStatus = row.To
	}
	events := 0
	emit := func(ev hyperlocal.Event) error {
		events++
		e, err := hyperlocal.NewEnvelope(ctx, b.s.config.IDs, b.now, o.Tenant, actor, o.ID.Ref(), o.Version, events, ev)
		b.events = append(b.events, e)
		return err
	}
	c := change{o: *o} // version 0 before, 1 after
	if err := emit(OrderPlaced{Changed: c.changed(o.PlacedAt), Lines: eventLines(o.Lines)}); err != nil {
		return err
	}
	trigger := TriggerAwaitPayment
	if o.PaymentStatus == PaymentNoneDue {
		trigger = TriggerConfirm
	}
	row, err := b.s.states.Fire(ctx, o.State, trigger, "", o)
	if err != nil {
		return err
	}
	o.State = row.To
	timer, at := nextAction(b.s.config.Table, o, b.s.config.Policy, b.now)
	o.NextAction, o.NextActionAt = string(timer), at
	c.o = *o
	for _, name := range row.Emits {
		ev, ok := newEvent(name, c.changed(o.PlacedAt), "")
		if !ok {
			return errMachine.With("event", name)
		}
		if err := emit(ev); err != nil {
			return err
		}
	}
	b.history = append(b.history, HistoryEntry{
		ID: b.s.config.IDs.NewID(), Tenant: o.Tenant, Order: o.ID, Version: o.Version, N: 1, Machine: "state",
		Trigger: string(trigger), From: string(Placed), To: string(o.State), Actor: actor, At: o.PlacedAt,
	})
	b.orders = append(b.orders, *o)
	p.summary = o.summary()
	return nil
}

func eventLines(lines []Line) []EventLine {
	out := make([]EventLine, len(lines))
	for i := range lines {
		l := &lines[i]
		out[i] = EventLine{N: l.N, Variant: l.Variant, Code: l.Code, Item: l.Item, Quantity: l.Quantity, Amount: l.Amount}
	}
	return out
}

// write queues everything that was granted and settles the keys.
func (b *placement) write(ctx context.Context, decisions []hyperlocal.Decision) error {
	if len(b.orders) > 0 {
		if err := b.s.config.Store.Insert(ctx, b.orders); err != nil {
			return err
		}
		if err := b.s.config.Store.AppendHistory(ctx, b.history); err != nil {
			return err
		}
		if err := b.s.config.Outbox.Append(ctx, b.events...); err != nil {
			return err
		}
		for _, d := range decisions {
			if err := d.Apply(ctx); err != nil {
				return err
			}
		}
		for _, g := range grouped(b.leaves) {
			if err := b.s.config.Stock.CommitReserved(ctx, g.at, g.actor, g.owners...); err != nil {
				return err
			}
		}
		hyperlocal.AfterCommit(ctx, b.s.config.Wake)
	}
	return b.s.settleKeys(ctx, b.claimed)
}

// results answers in the order of the commands.
func (b *placement) results() []PlaceResult {
	results := make([]PlaceResult, len(b.items))
	for i := range b.items {
		a, replayed := given(b.items, i, placingAnswer)
		if results[i].Err = a.err; a.err == nil {
			results[i] = PlaceResult{Order: a.summary, Replayed: replayed}
		}
	}
	return results
}
