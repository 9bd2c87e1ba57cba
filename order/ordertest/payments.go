package ordertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// operation is one operation as the stand-in for payment keeps it.
type operation struct {
	hyperlocal.PaymentOperation
	answer Answer
}

// owed are the totals of one owner.
type owed struct{ authorized, captured, refunded int64 }

type paymentState struct {
	operations map[string]operation
	references map[string]string
	totals     map[hyperlocal.TenantRef]owed
}

func clonePayments(s paymentState) paymentState {
	c := paymentState{
		operations: make(map[string]operation), references: make(map[string]string),
		totals: make(map[hyperlocal.TenantRef]owed),
	}
	maps.Copy(c.operations, s.operations)
	maps.Copy(c.references, s.references)
	maps.Copy(c.totals, s.totals)
	return c
}

// Answer is what the gateway says to an operation.
type Answer struct {
	Outcome hyperlocal.PaymentOutcome
	Class   hyperlocal.DeclineClass
	Action  string
}

// Succeeded is the answer of a gateway on a good day.
var Succeeded = Answer{Outcome: hyperlocal.OutcomeSucceeded}

// Payments stands in for the payment context: it stores operations in the caller's
// transaction and executes them, with the answers that the test wants, in one of its own.
type Payments struct {
	s     staged[paymentState]
	tx    hyperlocal.TxRunner
	clock hyperlocal.Clock
	ids   hyperlocal.IDSource

	mu     sync.Mutex
	owner  *order.Service
	answer func(hyperlocal.PaymentOperation) Answer
	asked  []hyperlocal.PaymentOperation
	// Refuse, if set, is asked before an operation is stored.
	Refuse func(hyperlocal.PaymentCommand) error
	// Deaf: the owner is not told what becomes known.
	Deaf bool
}

// NewPayments returns payments whose gateway says yes to everything.
func NewPayments(tx hyperlocal.TxRunner, clock hyperlocal.Clock) *Payments {
	return &Payments{
		s:  staged[paymentState]{committed: clonePayments(paymentState{}), clone: clonePayments},
		tx: tx, clock: clock, ids: hyperlocal.RandomIDs{},
	}
}

// Attach names the service that owns the payments.
func (p *Payments) Attach(s *order.Service) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owner = s
}

// Say sets what the gateway answers from now on.
func (p *Payments) Say(answer func(hyperlocal.PaymentOperation) Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// SayAlways is Say with one answer for everything.
func (p *Payments) SayAlways(a Answer) { p.Say(func(hyperlocal.PaymentOperation) Answer { return a }) }

// Asked returns the operations that the gateway was asked for, in order.
func (p *Payments) Asked() []hyperlocal.PaymentOperation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]hyperlocal.PaymentOperation(nil), p.asked...)
}

// Operations returns every stored operation with how it stands.
func (p *Payments) Operations() map[hyperlocal.PaymentOperation]Answer {
	all := make(map[hyperlocal.PaymentOperation]Answer)
	p.s.look(context.Background(), func(v *paymentState) {
		for _, op := range v.operations {
			all[op.PaymentOperation] = op.answer
		}
	})
	return all
}

// Begin implements order.Payments.
func (p *Payments) Begin(ctx context.Context, commands ...hyperlocal.PaymentCommand) ([]hyperlocal.PaymentOperation, error) {
	if !hyperlocal.InTx(ctx) {
		return nil, fmt.Errorf("%w: Begin outside a transaction", errMisuse)
	}
	var out []hyperlocal.PaymentOperation
	for _, c := range commands {
		if c.Amount.Sign() <= 0 || c.Reference == "" || c.Actor.Validate() != nil {
			return nil, fmt.Errorf("%w: Begin(%+v)", errMisuse, c)
		}
		if p.Refuse != nil {
			if err := p.Refuse(c); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range commands {
		if err := p.room(ctx, c); err != nil {
			return nil, err
		}
		name := referenceOf(c)
		op := operation{
			PaymentOperation: hyperlocal.PaymentOperation{
				Tenant: c.Tenant, ID: p.ids.NewID(), Owner: c.Owner, Verb: c.Verb, Amount: c.Amount, Reference: c.Reference,
			},
			answer: Answer{Outcome: hyperlocal.OutcomeProcessing},
		}
		op.Intent = op.ID
		p.s.change(ctx, func(v *paymentState) {
			id, known := v.references[name]
			if !known {
				v.references[name] = op.ID
				v.operations[op.ID] = op
				return
			}
			// One whose decline may pass is asked for again.
			if before := v.operations[id]; before.answer.Outcome == hyperlocal.OutcomeDeclined && before.answer.Class == hyperlocal.DeclineSoft {
				before.answer = Answer{Outcome: hyperlocal.OutcomeProcessing}
				v.operations[id] = before
			}
		})
		p.s.look(ctx, func(v *paymentState) { out = append(out, v.operations[v.references[name]].PaymentOperation) })
	}
	return out, nil
}

// errClaimed is what the payment context says when somebody else is at the held money.
var errClaimed = hyperlocal.NewError(hyperlocal.CodePrecondition, "ordertest/claimed", "not so much is held")

// room refuses what the owner's money does not cover. A refund of more than was captured is
// a mistake of the order; held money may be on its way elsewhere without the order's knowing.
func (p *Payments) room(ctx context.Context, c hyperlocal.PaymentCommand) (err error) {
	owner := hyperlocal.TenantRef{Tenant: c.Tenant, Ref: c.Owner}
	p.s.look(ctx, func(v *paymentState) {
		total, known := v.totals[owner]
		if _, again := v.references[referenceOf(c)]; !known || again {
			return
		}
		switch c.Verb {
		case hyperlocal.VerbRefund:
			if left := total.captured - total.refunded - v.open(owner, "", c.Verb); c.Amount.Amount() > left {
				err = fmt.Errorf("%w: a refund of %s, %d are left", errMisuse, c.Amount, left)
			}
		case hyperlocal.VerbCapture, hyperlocal.VerbVoid:
			if c.Amount.Amount() > total.authorized-v.open(owner, "", hyperlocal.VerbCapture, hyperlocal.VerbVoid) {
				err = errClaimed
			}
		}
	})
	return err
}

func referenceOf(c hyperlocal.PaymentCommand) string {
	return fmt.Sprint(c.Tenant, c.Owner, c.Verb, " ", c.Reference)
}

// open is what unsettled operations of an owner may still move, but for one of them.
func (s *paymentState) open(owner hyperlocal.TenantRef, but string, verbs ...hyperlocal.PaymentVerb) int64 {
	var sum int64
	for _, op := range s.operations {
		settled := op.answer.Outcome == hyperlocal.OutcomeSucceeded || op.answer.Outcome == hyperlocal.OutcomeDeclined
		if slices.Contains(verbs, op.Verb) && op.Tenant == owner.Tenant && op.Owner == owner.Ref && !settled && op.ID != but {
			sum += op.Amount.Amount()
		}
	}
	return sum
}

// covered reports whether an operation that was declined may turn out otherwise: not when
// its amount has gone elsewhere since.
func (s *paymentState) covered(owner hyperlocal.TenantRef, op *operation) bool {
	total, amount := s.totals[owner], op.Amount.Amount()
	switch op.Verb {
	case hyperlocal.VerbRefund:
		return amount <= total.captured-total.refunded-s.open(owner, op.ID, op.Verb)
	case hyperlocal.VerbCapture, hyperlocal.VerbVoid:
		return amount <= total.authorized-s.open(owner, op.ID, hyperlocal.VerbCapture, hyperlocal.VerbVoid)
	default:
		return true
	}
}

var errNoOperation = errors.New("ordertest: no such operation")

// Execute implements order.Payments.
func (p *Payments) Execute(ctx context.Context, t hyperlocal.TenantID, id string) (hyperlocal.PaymentFact, error) {
	if hyperlocal.InTx(ctx) {
		return hyperlocal.PaymentFact{}, hyperlocal.ErrNetworkInTx
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	op, err := p.find(ctx, t, id)
	if err != nil || op.answer.Outcome != hyperlocal.OutcomeProcessing {
		return p.fact(ctx, op), err
	}
	p.asked = append(p.asked, op.PaymentOperation)
	answer := Succeeded
	if p.answer != nil {
		answer = p.answer(op.PaymentOperation)
	}
	return p.settle(ctx, op, answer)
}

// Settle brings news of an operation, as a webhook or a lookup would.
func (p *Payments) Settle(ctx context.Context, t hyperlocal.TenantID, id string, answer Answer) (hyperlocal.PaymentFact, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	op, err := p.find(ctx, t, id)
	if err != nil {
		return hyperlocal.PaymentFact{}, err
	}
	return p.settle(ctx, op, answer)
}

// settle is the transaction in which everything about an operation becomes known.
func (p *Payments) settle(ctx context.Context, op operation, answer Answer) (fact hyperlocal.PaymentFact, err error) {
	if answer.Outcome == hyperlocal.OutcomeProcessing {
		return p.fact(ctx, op), nil // nothing became known
	}
	ctx = context.WithoutCancel(ctx) // an answer is recorded whether anybody still waits for it or not
	owner := hyperlocal.TenantRef{Tenant: op.Tenant, Ref: op.Owner}
	if op.answer.Outcome == hyperlocal.OutcomeDeclined {
		covered := true
		p.s.look(ctx, func(v *paymentState) { covered = v.covered(owner, &op) })
		if !covered {
			return p.fact(ctx, op), nil
		}
	}
	err = p.tx.WithinTx(ctx, func(ctx context.Context) error {
		if err := p.owner.LockOwners(ctx, owner); err != nil {
			return err
		}
		p.s.change(ctx, func(v *paymentState) {
			before := v.operations[op.ID].answer.Outcome
			op.answer = answer
			if before == hyperlocal.OutcomeDeclined && answer.Outcome != hyperlocal.OutcomeSucceeded {
				return // an echo: the owner is told, and nothing is changed here
			}
			v.operations[op.ID] = op
			if answer.Outcome != hyperlocal.OutcomeSucceeded || before == hyperlocal.OutcomeSucceeded {
				return
			}
			total, amount := v.totals[owner], op.Amount.Amount()
			switch op.Verb {
			case hyperlocal.VerbCharge:
				total.captured += amount
			case hyperlocal.VerbAuthorize:
				total.authorized += amount
			case hyperlocal.VerbCapture:
				total.captured, total.authorized = total.captured+amount, total.authorized-amount
			case hyperlocal.VerbVoid:
				total.authorized -= amount
			case hyperlocal.VerbRefund:
				total.refunded += amount
			}
			v.totals[owner] = total
		})
		fact = p.fact(ctx, op)
		if p.Deaf {
			return nil
		}
		return p.owner.ApplyPayment(ctx, fact)
	})
	return fact, err
}

// find waits a moment for an operation that it does not know: what is kept here becomes
// visible just after the database's commit, and another caller may have read that already.
func (p *Payments) find(ctx context.Context, t hyperlocal.TenantID, id string) (op operation, err error) {
	for range 200 {
		p.s.look(ctx, func(v *paymentState) { op = v.operations[id] })
		if op.ID != "" && op.Tenant == t {
			return op, nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return op, errNoOperation
}

func (p *Payments) fact(ctx context.Context, op operation) hyperlocal.PaymentFact {
	var total owed
	p.s.look(ctx, func(v *paymentState) { total = v.totals[hyperlocal.TenantRef{Tenant: op.Tenant, Ref: op.Owner}] })
	money := func(minor int64) hyperlocal.Money {
		m, err := hyperlocal.NewMoney(minor, op.Amount.Currency())
		if err != nil {
			return hyperlocal.Money{}
		}
		return m
	}
	return hyperlocal.PaymentFact{
		Tenant: op.Tenant, Owner: op.Owner, Intent: op.Intent, Operation: op.ID, Verb: op.Verb, Reference: op.Reference,
		Outcome: op.answer.Outcome, Amount: op.Amount, Class: op.answer.Class, Action: op.answer.Action,
		Authorized: money(total.authorized), Captured: money(total.captured), Refunded: money(total.refunded),
		At: p.clock.Now(), Actor: hyperlocal.System("payment"),
	}
}

// Status implements order.Payments.
func (p *Payments) Status(ctx context.Context, t hyperlocal.TenantID, ids ...string) ([]hyperlocal.PaymentFact, error) {
	facts := make([]hyperlocal.PaymentFact, len(ids))
	for i, id := range ids {
		op, err := p.find(ctx, t, id)
		if err != nil {
			return nil, err
		}
		facts[i] = p.fact(ctx, op)
	}
	return facts, nil
}
