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
	drafts := make([]Order, len(items))
	for i := range items {
		items[i].draft(&drafts[i], s.config.Policy.Rounding) // unless it was drafted before it came here
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
	command     *PlaceCommand
	fingerprint string
	lines       []PlaceLine // with the offers filled in
	// order is the draft, without identity, state and times; within the transaction it is a
	// copy that has them.
	order *Order

	emits  []string // events of the order's first step
	step   Trigger  // what that was
	broken error    // the step cannot be taken; it fails the batch if the order is granted
	cause  hyperlocal.Cause
}

func placingAnswer(p *placing) *answer { return &p.answer }

// prepare validates a command and digests it.
func (s *Service) prepare(c *PlaceCommand) placing {
	p := placing{command: c, answer: answer{twin: -1}}
	if p.err = c.validate(); p.err != nil {
		return p
	}
	p.fingerprint = c.content()
	p.lines = c.Lines
	if c.Key != "" {
		p.key = keyOf(c.Tenant, c.Actor, "order.place", c.Key, c.request(p.fingerprint))
	}
	return p
}

// draft prices the order.
func (p *placing) draft(o *Order, rounding hyperlocal.Rounding) {
	if p.err != nil || p.order != nil {
		return
	}
	p.err = draft(o, p.command, p.lines, rounding)
	o.Fingerprint = p.fingerprint
	p.order = o
}

// placement is one run of the transaction of a batch.
type placement struct {
	s        *Service
	now      time.Time
	items    []placing
	gathered bool

	orders  []Order // of all open items at first; those granted move to the front
	granted int
	history []HistoryEntry
	events  []hyperlocal.Envelope
	claimed []*answer   // those whose keys are ours
	placed  OrderPlaced // written for one order after the other

	stock  hyperlocal.Decision // of the stock alone; nil if no line needs any
	leaves []stockMove         // of orders that need nobody's consent: their stock leaves at once
}

// run takes the steps in the lock order: keys, then what the participants lock. An order
// comes to be before its key is claimed, so that the claim already holds the answer.
func (b *placement) run(ctx context.Context) error {
	b.begin(ctx)
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
	if o.Fingerprint != p.fingerprint {
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
	var items []hyperlocal.ItemQuantity // of all, one after the other
	keep := open[:0]
	stocked := false
	for _, i := range open {
		p := &b.items[i]
		first := len(items)
		items = demand(items, p.order)
		ask := p.ask(items[first:len(items):len(items)])
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
	b.history = make([]HistoryEntry, 0, len(batch))
	b.events = make([]hyperlocal.Envelope, 0, 2*len(batch))
	external := make(map[hyperlocal.TenantRef]*Order)
	for k, i := range keep {
		p := &b.items[i]
		name := hyperlocal.TenantRef{Tenant: p.command.Tenant, Ref: hyperlocal.Ref{Kind: p.command.External.Source, ID: p.command.External.Reference}}
		if o := external[name]; o != nil {
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
		if !p.command.External.IsZero() {
			external[name] = p.order
		}
	}
	return decisions, nil
}

// leave lets the stock of item k go if its order has passed the stage for that already, as
// one that nobody has to pay for may have.
func (b *placement) leave(p *placing, k int) {
	o := p.order
	if b.stock == nil || b.s.progress[o.State] < stage(b.s.config.Policy.CommitOn) || !o.stocked() {
		return
	}
	if stock, ok := b.stock.(Leaver); ok {
		stock.Leave(k)
		return
	}
	b.leaves = append(b.leaves, o.move(doer{actor: p.command.Actor, at: o.PlacedAt}))
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

// begin makes the orders of open items out of their drafts: identity, number, times and the
// first step, none of which depends on anybody's consent. So the answer is foreseen.
func (b *placement) begin(ctx context.Context) {
	open, keyed := 0, 0
	for i := range b.items {
		if p := &b.items[i]; !p.done() {
			open++
			if !p.key.IsZero() {
				keyed++
			}
		}
	}
	b.orders = make([]Order, 0, open)
	results := make([]byte, 0, keyed*320) // of all, one after the other
	for i := range b.items {
		p := &b.items[i]
		if p.done() {
			continue
		}
		b.orders = append(b.orders, *p.order)
		p.order = &b.orders[len(b.orders)-1]
		if p.broken = b.arrive(ctx, p); p.broken != nil || p.key.IsZero() {
			continue
		}
		p.foreseen = p.order.summary()
		first := len(results)
		results = p.foreseen.appendJSON(results)
		p.key.Result = results[first:len(results):len(results)]
	}
}

// arrive gives the order its identity, times and number, and lets it take its first step.
func (b *placement) arrive(ctx context.Context, p *placing) error {
	o := p.order
	o.ID = ID(b.s.config.IDs.NewID())
	o.CreatedAt, o.UpdatedAt, o.PlacedAt = b.now, b.now, b.now
	if at := p.command.At; !at.IsZero() {
		o.PlacedAt = hyperlocal.Instant(at)
	}
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
	p.step = TriggerAwaitPayment
	if o.PaymentStatus == PaymentNoneDue {
		p.step = TriggerConfirm
	}
	row, err := b.s.states.Fire(ctx, o.State, p.step, "", o)
	if err != nil {
		return err
	}
	o.State, p.emits = row.To, row.Emits
	timer, at := nextAction(b.s.config.Table, o, b.s.config.Policy, b.now)
	o.NextAction, o.NextActionAt = string(timer), at
	return nil
}

// ask is what the participants see of the order; items is what it needs of the stock.
func (p *placing) ask(items []hyperlocal.ItemQuantity) hyperlocal.Placement {
	o := p.order
	return hyperlocal.Placement{
		Tenant: o.Tenant, Order: o.ID.Ref(), Merchant: o.Merchant, Customer: o.Customer, Total: o.Total,
		At: o.PlacedAt, Actor: p.command.Actor, Items: items, Spend: p.command.Spend, Cause: p.cause,
	}
}

// demand appends the stock that an order needs, line by line.
func demand(items []hyperlocal.ItemQuantity, o *Order) []hyperlocal.ItemQuantity {
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

// create writes a granted order down: what happened, and what is told of it.
func (b *placement) create(ctx context.Context, p *placing) error {
	ctx = hyperlocal.ContextWithCause(ctx, p.cause)
	if p.broken != nil {
		return p.broken
	}
	if to := &b.orders[b.granted]; p.order != to {
		*to = *p.order
		p.order = to
	}
	b.granted++
	o, actor := p.order, p.command.Actor
	changed := o.changed(o.Version, o.PlacedAt)
	b.placed.Changed = changed
	b.placed.State = Placed
	b.placed.Lines = eventLines(b.placed.Lines[:0], o.Lines)
	if err := b.emit(ctx, o, actor, 1, &b.placed); err != nil {
		return err
	}
	for n, name := range p.emits {
		ev, ok := newEvent(name, changed, "")
		if !ok {
			return errMachine.With("event", name)
		}
		if err := b.emit(ctx, o, actor, n+2, ev); err != nil {
			return err
		}
	}
	b.history = append(b.history, HistoryEntry{
		ID: b.s.config.IDs.NewID(), Tenant: o.Tenant, Order: o.ID, Version: o.Version, N: 1, Machine: "state",
		Trigger: string(p.step), From: string(Placed), To: string(o.State), Actor: actor, At: o.PlacedAt,
	})
	p.summary = o.summary()
	return nil
}

// emit adds the event number n of an order.
func (b *placement) emit(ctx context.Context, o *Order, actor hyperlocal.Actor, n int, ev hyperlocal.Event) error {
	e, err := hyperlocal.NewEnvelope(ctx, b.s.config.IDs, b.now, o.Tenant, actor, o.ID.Ref(), o.Version, n, ev)
	if err != nil {
		return err
	}
	b.events = append(b.events, e)
	return nil
}

func eventLines(out []EventLine, lines []Line) []EventLine {
	for i := range lines {
		l := &lines[i]
		out = append(out, EventLine{N: l.N, Variant: l.Variant, Code: l.Code, Item: l.Item, Quantity: l.Quantity, Amount: l.Amount})
	}
	return out
}

// write queues everything that was granted and settles the keys.
func (b *placement) write(ctx context.Context, decisions []hyperlocal.Decision) error {
	if b.granted > 0 {
		if err := b.s.config.Store.Insert(ctx, b.orders[:b.granted]); err != nil {
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
