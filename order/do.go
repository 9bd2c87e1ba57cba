package order

import (
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Do fires triggers on a batch of at most MaxBatch orders in one transaction and in a
// constant number of statements. It answers per command, in the order given: a refused one
// changes nothing and never fails its neighbours. Commands on one order take effect one
// after the other, and the order's version rises by one for all of them together. The error
// is for the batch: nothing was changed. With an [Intake] a single command is committed
// together with those of others.
//
// A repeated key is answered with what the first command reached, Replayed. A refusal frees
// its key in the same transaction.
//
// Refusals: code invalid for bad input; ErrNotFound, also for an order of another merchant
// or customer than the command states; ErrStale when Version is not the order's;
// ErrNotAllowed when the table has no row for it; ErrActor; ErrKeyReused; ErrKeyInProgress.
//
// Captures, voids and refunds that follow are stored in the same transaction. For a single
// command the gateway is asked right after the commit, before Do returns; for a batch, and
// in the caller's own transaction, that is left to the workers. What the gateway says never
// changes the answer. When the payment context refuses to store one of them, its order goes
// on all the same: one whose held money cannot be captured needs attention, and RunDue sees to
// voids and refunds.
func (s *Service) Do(ctx context.Context, commands ...Command) ([]CommandResult, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	if len(commands) > MaxBatch {
		return nil, invalid("batch", "a batch has at most 1000 commands")
	}
	if len(commands) == 1 && s.intake != nil && !hyperlocal.InTx(ctx) {
		c := commands[0] // the slice is the caller's, who may leave before the commit
		d := prepareCommand(&c)
		return s.intake.doOne(ctx, &d)
	}
	items := make([]doing, len(commands))
	for i := range commands {
		items[i] = prepareCommand(&commands[i])
	}
	results, asked, err := s.doAll(ctx, items)
	if err != nil {
		return nil, err
	}
	if len(commands) == 1 {
		s.execute(ctx, asked)
	}
	return results, nil
}

// doAll fires prepared commands in one transaction. It also returns the payment operations
// that were begun.
func (s *Service) doAll(ctx context.Context, items []doing) ([]CommandResult, []hyperlocal.PaymentOperation, error) {
	shareKeys(items, doingAnswer)
	var (
		results []CommandResult
		asked   []hyperlocal.PaymentOperation
	)
	err := s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
		b := deeds{work: s.newWork(s.config.Clock.Now()), items: slices.Clone(items)}
		if err := b.run(ctx); err != nil {
			return err
		}
		results, asked = b.results(), b.asked
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return results, asked, nil
}

// execute asks the gateways, outside any transaction. A failing gateway fails nobody: the
// operations are recorded, and the workers see to them.
func (s *Service) execute(ctx context.Context, asked []hyperlocal.PaymentOperation) {
	if hyperlocal.InTx(ctx) {
		return
	}
	for _, op := range asked {
		if ctx.Err() != nil {
			return
		}
		_, _ = s.config.Payments.Execute(ctx, op.Tenant, op.ID)
	}
}

// do is Do for one command.
func (s *Service) do(ctx context.Context, c Command, t Trigger) (CommandResult, error) {
	c.Trigger = t
	results, err := s.Do(ctx, c)
	if err != nil {
		return CommandResult{}, err
	}
	return results[0], results[0].Err
}

// Accept says that the merchant will do it. By default stock leaves the shelf and authorized money is captured now.
func (s *Service) Accept(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerAccept)
}

// Reject says that the merchant will not do it. Stock and money go back.
func (s *Service) Reject(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerReject)
}

// Prepare says that work has begun.
func (s *Service) Prepare(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerPrepare)
}

// Ready says that it waits for the customer or the courier.
func (s *Service) Ready(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerReady)
}

// Dispatch says that it is on its way.
func (s *Service) Dispatch(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerDispatch)
}

// Deliver says that the customer has it.
func (s *Service) Deliver(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerDeliver)
}

// FailDelivery says that it did not reach the customer.
func (s *Service) FailDelivery(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerDeliverFailed)
}

// Complete says that it is over and done with.
func (s *Service) Complete(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerComplete)
}

// Cancel ends an order that will not happen. Stock and money go back: held money is let go of, captured
// money refunded, both begun in the same transaction.
func (s *Service) Cancel(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerCancel)
}

// Attend raises the order to a person.
func (s *Service) Attend(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerAttend)
}

// Resolve says that a person has decided: the order goes on where it was. (Or else Cancel it.)
func (s *Service) Resolve(ctx context.Context, c Command) (CommandResult, error) {
	return s.do(ctx, c, TriggerResolve)
}

// doing is one command on its way. It is copied for every run of the transaction.
type doing struct {
	answer
	command *Command
	change  *change
	cause   hyperlocal.Cause
}

func doingAnswer(d *doing) *answer { return &d.answer }

func prepareCommand(c *Command) doing {
	d := doing{command: c, answer: answer{twin: -1}}
	if d.err = c.validate(); d.err != nil || c.Key == "" {
		return d
	}
	digest, err := hyperlocal.Fingerprint(c.Order, c.Trigger, c.Merchant, c.Customer, c.Version, c.Reason, hyperlocal.Instant(c.At))
	d.key, d.err = keyOf(c.Tenant, c.Actor, "order.do", c.Key, digest), err
	return d
}

func (c *Command) validate() error {
	if err := problem(
		c.Tenant.Validate(),
		c.Actor.Validate(),
		hyperlocal.IdempotencyKey{Tenant: c.Tenant, Key: c.Key}.Validate(),
		c.Merchant.Validate(),
		c.Customer.Validate(),
		hyperlocal.CheckText("order", "reason", c.Reason, MaxNote),
		checkAt("at", c.At),
		checkSlug("trigger", string(c.Trigger)),
		checkID(c.Order),
	); err != nil {
		return err
	}
	if c.Version < 0 {
		return invalid("version", "a version is positive")
	}
	return nil
}

// deeds is one run of the transaction of a batch.
type deeds struct {
	*work
	items []doing
}

func (b *deeds) run(ctx context.Context) error {
	claimed, err := claimKeys(ctx, b.s, b.items, doingAnswer)
	if err != nil {
		return err
	}
	var keys []Key
	seen := make(map[Key]bool)
	for i := range b.items {
		d := &b.items[i]
		k := Key{d.command.Tenant, d.command.Order}
		if !d.done() && !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	if err := b.lock(ctx, keys); err != nil {
		return err
	}
	if err := b.loadRefunds(ctx, b.mayEnd); err != nil {
		return err
	}
	for i := range b.items {
		if d := &b.items[i]; !d.done() {
			if d.change, d.err = b.find(d.command.Tenant, d.command.Order, d.command.Merchant, d.command.Customer); d.err != nil {
				continue
			}
			d.change.cause = d.cause
			if err := b.obey(ctx, d); err != nil {
				return err
			}
		}
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	for i := range b.items {
		if d := &b.items[i]; !d.done() {
			d.summary = d.change.o.summary() // as flush left it
		}
	}
	return b.s.settleKeys(ctx, claimed)
}

// mayEnd reports whether a command of the batch could end a paid order, so that its refunds matter.
func (b *deeds) mayEnd(c *change) bool {
	return c.o.Captured.Sign() > 0 && slices.ContainsFunc(b.items, func(d doing) bool {
		return d.command.Order == c.o.ID && slices.ContainsFunc(b.s.config.Table.Rows, func(r Row[State]) bool {
			return r.Trigger == d.command.Trigger && (r.To == Cancelled || r.To == Expired)
		})
	})
}

// find returns the locked order, if the merchant and customer may know of it.
func (w *work) find(tenant hyperlocal.TenantID, id ID, merchant, customer hyperlocal.Ref) (*change, error) {
	c := w.byKey[Key{tenant, id}]
	if c == nil || !merchant.IsZero() && c.o.Merchant != merchant || !customer.IsZero() && c.o.Customer != customer {
		return nil, ErrNotFound.With("order", id)
	}
	return c, nil
}

// obey fires one command. A refusal goes to the command, a defect to the batch.
func (b *deeds) obey(ctx context.Context, d *doing) error {
	c, command := d.change, d.command
	if command.Version != 0 && command.Version != c.was.Version {
		d.err = ErrStale.With("version", c.was.Version)
		return nil
	}
	who := doer{kind: command.Actor.Kind, actor: command.Actor, at: command.At, reason: command.Reason}
	if who.at.IsZero() {
		who.at = b.now
	}
	who.at = hyperlocal.Instant(who.at)
	if err := b.fire(ctx, c, command.Trigger, who); err != nil {
		if b.broken != nil || hyperlocal.IsCode(err, hyperlocal.CodeInternal) {
			return err
		}
		d.err = err
		return nil
	}
	return b.settle(ctx, c, who) // the command has taken effect: what goes wrong now is the batch's
}

func (b *deeds) results() []CommandResult {
	results := make([]CommandResult, len(b.items))
	for i := range b.items {
		a, replayed := given(b.items, i, doingAnswer)
		if results[i].Err = a.err; a.err == nil {
			results[i] = CommandResult{Order: a.summary, Replayed: replayed}
		}
	}
	return results
}
