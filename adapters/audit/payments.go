package audit

import (
	"context"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func (a *auditor) readPayments(ctx context.Context, t Tables) error {
	type sums struct{ captured, refunded int64 }
	moved := make(map[Allocation]sums) // by tenant, intent and owner
	intentOf := make(map[ID]string)
	if err := t.Operations(ctx, func(o Operation) error {
		a.operations[o.ID] = o
		a.elsewhere[o.ID.ID] = o.ID.Tenant
		intentOf[o.ID] = o.Intent
		return nil
	}); err != nil {
		return err
	}
	if err := t.PaymentMovements(ctx, func(m PaymentMovement) error {
		op := ID{m.Tenant, m.Operation}
		intent, ok := intentOf[op]
		if !ok {
			a.missing("a "+m.Kind, op)
			return nil
		}
		key := Allocation{Tenant: m.Tenant, Intent: intent, Owner: m.Owner}
		s := moved[key]
		o := a.owner(m.Tenant, m.Owner, "a "+m.Kind)
		switch m.Kind {
		case "capture":
			s.captured += m.Amount
			if o != nil {
				o.paidCaptured += m.Amount
			}
		case "refund":
			s.refunded += m.Amount
			if o != nil {
				o.paidRefunded += m.Amount
				put(&o.givenBack, m.Operation, o.givenBack[m.Operation]+m.Amount)
			}
		}
		moved[key] = s
		return nil
	}); err != nil {
		return err
	}
	if err := t.Allocations(ctx, func(l Allocation) error {
		a.intents[ID{l.Tenant, l.Intent}] = true
		a.owner(l.Tenant, l.Owner, "an allocation")
		s := moved[Allocation{Tenant: l.Tenant, Intent: l.Intent, Owner: l.Owner}]
		if l.Captured != s.captured || l.Refunded != s.refunded || l.Captured+l.Authorized > l.Amount || l.Refunded > l.Captured {
			a.violate(OrderMoneyIsPayments, "tenant %s intent %s for %s: captured %d of %d and refunded %d, movements say %d and %d",
				l.Tenant, l.Intent, l.Owner, l.Captured, l.Amount, l.Refunded, s.captured, s.refunded)
		}
		return nil
	}); err != nil {
		return err
	}
	for id, o := range a.operations {
		if !a.intents[ID{id.Tenant, o.Intent}] {
			a.missing("operation "+id.ID, ID{id.Tenant, o.Intent})
		}
	}
	return a.readSandbox(ctx, t)
}

// owner returns the order that "order/<id>" names, nil for other kinds of owner.
func (a *auditor) owner(tenant, ref, what string) *orderSums {
	id, ok := strings.CutPrefix(ref, "order/")
	if !ok {
		return nil
	}
	o := a.orders[ID{tenant, id}]
	if o == nil {
		a.missing(what, ID{tenant, id})
	}
	return o
}

// readSandbox compares what the sandbox did with what we know of it. What it did and we do
// not know yet is pending, as long as the operation is open and will be looked up.
func (a *auditor) readSandbox(ctx context.Context, t Tables) error {
	const succeeded = string(hyperlocal.OutcomeSucceeded)
	did := make(map[ID]bool)      // operations that the sandbox has carried out
	charged := make(map[ID]int64) // intents, by charges and authorizations
	if err := t.SandboxRecords(ctx, func(r SandboxRecord) error {
		op := ID{r.Tenant, r.Operation}
		o, ok := a.operations[op]
		if !ok {
			a.missing("record "+r.Key+" of the sandbox", op)
			return nil
		}
		if r.Outcome != succeeded {
			return nil
		}
		if o.Amount != r.Amount || o.Currency != r.Currency || o.Verb != r.Verb {
			a.violate(SandboxIsAttempts, "tenant %s operation %s: %s of %d %s, the sandbox did a %s of %d %s",
				r.Tenant, r.Operation, o.Verb, o.Amount, o.Currency, r.Verb, r.Amount, r.Currency)
		}
		if o.Outcome == string(hyperlocal.OutcomeDeclined) {
			a.violate(SandboxIsAttempts, "tenant %s operation %s is declined, the sandbox did it", r.Tenant, r.Operation)
		}
		if did[op] {
			a.violate(ChargedOnce, "tenant %s operation %s: the sandbox did it twice", r.Tenant, r.Operation)
		}
		did[op] = true
		if r.Verb == string(hyperlocal.VerbCharge) || r.Verb == string(hyperlocal.VerbAuthorize) {
			charged[ID{r.Tenant, o.Intent}] += r.Amount
		}
		return nil
	}); err != nil {
		return err
	}
	for id, o := range a.operations {
		if o.Gateway == "sandbox" && o.Outcome == succeeded && !did[id] {
			a.violate(SandboxIsAttempts, "tenant %s operation %s succeeded, the sandbox knows nothing of it", id.Tenant, id.ID)
		}
	}
	due := make(map[ID]int64)
	if err := t.Allocations(ctx, func(l Allocation) error {
		due[ID{l.Tenant, l.Intent}] += l.Amount
		return nil
	}); err != nil {
		return err
	}
	for intent, sum := range charged {
		if sum > due[intent] {
			a.violate(ChargedOnce, "tenant %s intent %s: the sandbox charged %d of %d", intent.Tenant, intent.ID, sum, due[intent])
		}
	}
	return nil
}
