package order

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime/debug"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Intake commits the single calls of concurrent callers together, in one transaction a batch:
// then neither a popular item, whose row only one transaction can hold, nor a write to disk
// for every order is the limit. The zero value is good.
//
// Orders that are asked for one by one at the same time are read together as well.
//
// Every caller is answered after the commit, with what a call of its own would have been
// answered; actor, cause and idempotency key stay those of each call. Input that is wrong is
// refused before it is taken in. Calls on one order, and calls under one key, never share a
// transaction, and happen in the order in which they came. Calls inside a transaction, and
// those of several commands, are not gathered.
//
// A caller whose context ends gets code deadline if its call was not taken in yet, nothing
// having been changed, and else code unknown_outcome: it asks again under the same key. One
// too many gets [hyperlocal.ErrOverloaded].
//
// When a [Refuser] has just seen that an item has run out, those who come behind are refused
// without a transaction; those with a key, which has to be looked up first, without locking
// the stock. Those with an external reference always ask the stock.
//
// [Refuser]: https://pkg.go.dev/github.com/hyperlocal-sdk/hyperlocal#Refuser
type Intake struct {
	// Gather bounds batches and queues, each kind of call having its own. Set OneTenant for a
	// database with row-level security.
	Gather hyperlocal.GatherConfig
}

// intake is the open one.
type intake struct {
	s     *Service
	place *hyperlocal.Gather[*placing, PlaceResult]
	do    *hyperlocal.Gather[*doing, done]
	pay   *hyperlocal.Gather[*paying, paying]
	read  *hyperlocal.Gather[Key, found]
	// memory refuses what has run out; nil if there is none that may speak first.
	memory hyperlocal.Refuser
}

// done is the answer to one command, and what the gateway is to be asked for it.
type done struct {
	result CommandResult
	asked  []hyperlocal.PaymentOperation
}

// open opens the intake, if there is to be one.
func (s *Service) open() error {
	if s.config.Intake == nil {
		return nil
	}
	in := &intake{s: s}
	c := s.config.Intake.Gather
	// Commands and payments of one order follow each other, so their crowds are those of the
	// placements, shared out: fewer and larger batches serve them better.
	fewer := c.WithDefaults()
	fewer.Committers = (fewer.Committers + 1) / 2
	var errs [4]error
	in.place, errs[0] = hyperlocal.NewGather(c, func(p *placing) hyperlocal.TenantID { return p.command.Tenant }, in.commitPlacements)
	in.do, errs[1] = hyperlocal.NewGather(fewer, func(d *doing) hyperlocal.TenantID { return d.command.Tenant }, in.commitDeeds)
	in.pay, errs[2] = hyperlocal.NewGather(fewer, func(p *paying) hyperlocal.TenantID { return p.command.Tenant }, in.commitPayments)
	in.read, errs[3] = hyperlocal.NewGather(fewer, func(k Key) hyperlocal.TenantID { return k.Tenant }, in.readOrders)
	if errs[0] != nil {
		return errs[0] // the others say the same
	}
	seed := maphash.MakeSeed()
	in.do.KeepApart(func(d *doing, to []uint64) []uint64 {
		return append(to, maphash.Comparable(seed, name{tenant: d.command.Tenant, id: string(d.command.Order)}))
	})
	if len(s.parts) > 0 { // any other's refusal may come after somebody else's
		in.memory, _ = s.parts[0].Participant.(hyperlocal.Refuser)
	}
	s.intake = in
	return nil
}

// Close takes no more calls into the intake, and waits until those inside are answered, or
// until ctx ends (code deadline). Afterwards single calls outside a transaction fail with
// [hyperlocal.ErrGatherClosed]. Without an intake it does nothing.
func (s *Service) Close(ctx context.Context) error {
	if s.intake == nil {
		return nil
	}
	return errors.Join(s.intake.place.Close(ctx), s.intake.do.Close(ctx), s.intake.pay.Close(ctx), s.intake.read.Close(ctx))
}

// refused is what the first participant says from memory.
func (s *Service) refused(ask *hyperlocal.Placement) error {
	if s.intake == nil || s.intake.memory == nil || len(ask.Items) == 0 {
		return nil
	}
	return s.intake.memory.Refuse(ask)
}

// placeOne is Place through the intake.
func (in *intake) placeOne(ctx context.Context, c *PlaceCommand) (PlaceResult, error) {
	p := in.s.prepare(c)
	if p.err == nil && !p.toBeQuoted() {
		p.draft(new(Order), in.s.config.Policy.Rounding)
		if p.err == nil && p.key.IsZero() && c.External.IsZero() {
			in.glance(&p)
		}
	}
	if p.err != nil {
		return PlaceResult{Err: p.err}, p.err
	}
	p.cause, _ = hyperlocal.CauseFrom(ctx)
	result, err := in.place.Do(ctx, &p)
	if err == nil {
		err = in.s.config.Hook(ctx, "place.after_commit")
	}
	if err != nil {
		return PlaceResult{}, err
	}
	return result, result.Err
}

// toBeQuoted reports whether a line states no price.
func (p *placing) toBeQuoted() bool {
	for i := range p.lines {
		if p.lines[i].UnitPrice == (hyperlocal.Money{}) {
			return true
		}
	}
	return false
}

// glance refuses a placement that cannot be a repetition without asking the database.
func (in *intake) glance(p *placing) {
	if in.memory == nil {
		return
	}
	ask := p.ask(demand(nil, p.order))
	ask.Order = ID(in.s.config.IDs.NewID()).Ref() // an order has its own once it is granted
	if p.err = in.s.able(&ask); p.err == nil {
		p.err = in.s.refused(&ask)
	}
}

func (in *intake) commitPlacements(ctx context.Context, calls []*placing) ([]PlaceResult, error) {
	return rounds(calls,
		func(p *placing) [2]name { return [2]name{nameOfKey(p.key)} },
		func(calls []*placing) ([]PlaceResult, error) { return in.s.placeAll(ctx, copies(calls), true) },
		func(err error) PlaceResult { return PlaceResult{Err: err} })
}

// doOne is Do of one prepared command through the intake.
func (in *intake) doOne(ctx context.Context, d *doing) ([]CommandResult, error) {
	if d.err != nil {
		return []CommandResult{{Err: d.err}}, nil //nolint:nilerr // a refusal is an answer
	}
	d.cause, _ = hyperlocal.CauseFrom(ctx)
	done, err := in.do.Do(ctx, d)
	if err != nil {
		return nil, err
	}
	in.s.execute(ctx, done.asked)
	return []CommandResult{done.result}, nil
}

func (in *intake) commitDeeds(ctx context.Context, calls []*doing) ([]done, error) {
	return rounds(calls,
		func(d *doing) [2]name {
			return [2]name{nameOfKey(d.key), {tenant: d.command.Tenant, id: string(d.command.Order)}}
		},
		func(calls []*doing) ([]done, error) {
			results, asked, err := in.s.doAll(ctx, copies(calls))
			if err != nil {
				return nil, err
			}
			out := make([]done, len(results))
			byOrder := make(map[hyperlocal.TenantRef]int)
			for i, r := range results {
				out[i].result = r
				byOrder[hyperlocal.TenantRef{Tenant: calls[i].command.Tenant, Ref: calls[i].command.Order.Ref()}] = i
			}
			for _, op := range asked {
				if i, ok := byOrder[hyperlocal.TenantRef{Tenant: op.Tenant, Ref: op.Owner}]; ok {
					out[i].asked = append(out[i].asked, op)
				}
			}
			return out, nil
		},
		func(err error) done { return done{result: CommandResult{Err: err}} })
}

// payOne is the first transaction of Pay through the intake.
func (in *intake) payOne(ctx context.Context, p *paying) (paying, error) {
	p.cause, _ = hyperlocal.CauseFrom(ctx)
	return in.pay.Do(ctx, p)
}

func (in *intake) commitPayments(ctx context.Context, calls []*paying) ([]paying, error) {
	return rounds(calls,
		func(p *paying) [2]name {
			return [2]name{nameOfKey(p.key), {tenant: p.command.Tenant, id: string(p.command.Order)}}
		},
		func(calls []*paying) ([]paying, error) { return in.s.payAll(ctx, copies(calls)) },
		func(err error) paying { return paying{err: err} })
}

// found is the answer to a read of one order.
type found struct {
	order Order
	ok    bool
}

// get returns an order, whole. With an intake those that are asked for at the same time are
// read together; each is read after it was asked for.
func (s *Service) get(ctx context.Context, k Key) (Order, bool, error) {
	if s.intake != nil && !hyperlocal.InTx(ctx) {
		f, err := s.intake.read.Do(ctx, k)
		switch {
		case errors.Is(err, hyperlocal.ErrLeftBehind): // nothing is unknown about a read
			return Order{}, false, hyperlocal.ErrGaveUp.WithCause(err)
		case !errors.Is(err, hyperlocal.ErrGatherClosed): // reads go on
			return f.order, f.ok, err
		}
	}
	orders, err := s.config.Store.Get(ctx, k.Tenant, k.ID)
	if err != nil || len(orders) == 0 {
		return Order{}, false, err
	}
	return orders[0], true, nil
}

// readOrders reads every order once, and gives each reader one of his own.
func (in *intake) readOrders(ctx context.Context, calls []Key) ([]found, error) {
	ids := make(map[hyperlocal.TenantID][]ID, 1)
	readers := make(map[Key][]int, len(calls))
	for i, k := range calls {
		if readers[k] == nil {
			ids[k.Tenant] = append(ids[k.Tenant], k.ID)
		}
		readers[k] = append(readers[k], i)
	}
	out := make([]found, len(calls))
	for tenant, ids := range ids {
		orders, err := in.s.config.Store.Get(ctx, tenant, ids...)
		if err != nil {
			return nil, err
		}
		for _, o := range orders {
			for n, i := range readers[Key{tenant, o.ID}] {
				if out[i] = (found{order: o, ok: true}); n > 0 {
					out[i].order = o.Clone()
				}
			}
		}
	}
	return out, nil
}

// copies of the calls to work on: the calls themselves stay as they are, for another try.
func copies[T any](calls []*T) []T {
	out := make([]T, len(calls))
	for i, c := range calls {
		out[i] = *c
	}
	return out
}

// name is something that only one call at a time may be about: an order, or a key.
type name struct {
	tenant            hyperlocal.TenantID
	caller, route, id string
}

func nameOfKey(k hyperlocal.IdempotencyKey) name {
	if k.IsZero() {
		return name{}
	}
	return name{k.Tenant, k.Caller, k.Route, k.Key}
}

// oneRound commits one round. Where others have been committed already a panic is this round's
// alone.
func oneRound[C, R any](commit func([]C) ([]R, error), calls []C, later bool) (answers []R, err error) {
	if later {
		defer func() {
			if r := recover(); r != nil {
				err = errRound.WithCause(fmt.Errorf("%v\n%s", r, debug.Stack())) //nolint:err113 // what a panic says is no sentinel
			}
		}()
	}
	return commit(calls)
}

var errRound = hyperlocal.NewError(hyperlocal.CodeInternal, "order/panic", "a command failed unexpectedly")

// rounds commits calls that share a name one after the other, and the rest together: mostly
// that is one round. The error of the first round is the batch's, since nothing was changed;
// that of a later one is the answer to its calls.
func rounds[C, R any](calls []C, names func(C) [2]name, commit func([]C) ([]R, error), failed func(error) R) ([]R, error) {
	if len(calls) == 1 {
		return commit(calls)
	}
	next := make(map[name]int, len(calls))
	round := make([]int, len(calls))
	last := 0
	for i, c := range calls {
		both := names(c)
		for _, n := range both {
			if n != (name{}) {
				round[i] = max(round[i], next[n])
			}
		}
		for _, n := range both {
			next[n] = round[i] + 1
		}
		last = max(last, round[i])
	}
	if last == 0 {
		return commit(calls)
	}
	results := make([]R, len(calls))
	for r := range last + 1 {
		var at []int
		var part []C
		for i, c := range calls {
			if round[i] == r {
				at, part = append(at, i), append(part, c)
			}
		}
		answers, err := oneRound(commit, part, r > 0)
		if err != nil && r == 0 {
			return nil, err
		}
		for k, i := range at {
			if err != nil {
				results[i] = failed(err)
				continue
			}
			results[i] = answers[k]
		}
	}
	return results, nil
}
