package payment

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// record is the one transaction in which everything about an operation becomes known,
// whoever found out: answer, lookup, webhook or person. It locks the owners, then their
// intents, applies the claim, writes facts, journal and outbox, and tells the owners.
// trouble, if not "", hands the operation to a person instead.
func (s *Service) record(ctx context.Context, op *Operation, c *claim, trouble string) (hyperlocal.PaymentFact, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.policy.Timeout)
	defer cancel()
	if fact, done, err := s.recordGathered(ctx, op, c, trouble); done {
		return fact, err
	}
	var fact hyperlocal.PaymentFact
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		var err error
		fact, _, err = s.settle(ctx, op, c, trouble, hyperlocal.Actor{}, nil)
		return err
	})
	if err != nil {
		return hyperlocal.PaymentFact{}, ErrNotRecorded.WithCause(err)
	}
	return fact, nil
}

// settle runs inside a transaction that holds no lock yet. also, if not nil, is called with
// the verdict before anything is written.
func (s *Service) settle(ctx context.Context, seen *Operation, c *claim, trouble string, actor hyperlocal.Actor,
	also func(ctx context.Context, v verdict, reason string) error,
) (hyperlocal.PaymentFact, verdict, error) {
	none := hyperlocal.PaymentFact{}
	if err := s.lockOwners(ctx, []*Operation{seen}); err != nil {
		return none, keep, err
	}
	u, err := s.lock(ctx, seen.tenantRefs())
	if err != nil {
		return none, keep, err
	}
	op, err := s.load(ctx, seen.Tenant, seen.ID)
	if err != nil {
		return none, keep, err
	}
	if actor == (hyperlocal.Actor{}) {
		actor = op.Actor
	}
	v, tell, err := s.decide(ctx, u, &op, c, trouble, actor, also)
	if err != nil {
		return none, v, err
	}
	if tell {
		facts, err := u.factsOf(&op, actor)
		if err != nil {
			return none, v, err
		}
		if err := s.tell(context.WithValue(ctx, unitKey{s}, u), facts); err != nil {
			return none, v, err
		}
	}
	if err := u.flush(ctx, s); err != nil {
		return none, v, err
	}
	fact, err := u.fact(&op, op.share(op.Owner))
	if tell {
		fact.Actor = actor
	}
	return fact, v, err
}

// decide finds out what a claim, or a trouble, means for a loaded operation, and does it in
// memory. tell: its owners are to be told.
func (s *Service) decide(ctx context.Context, u *unit, op *Operation, c *claim, trouble string, actor hyperlocal.Actor,
	also func(ctx context.Context, v verdict, reason string) error,
) (v verdict, tell bool, err error) {
	if c != nil && c.from == fromPerson && op.underWay(u.now) {
		return keep, false, ErrUnderWay // a worker took it while this waited for the locks
	}
	in := u.intents[Key{op.Tenant, op.Intent}]
	if in == nil {
		return keep, false, ErrNotFound.With("intent", op.Intent)
	}
	v, reason := keep, ""
	switch {
	case trouble != "":
		if op.Attention != trouble && op.Open() {
			err = s.raise(ctx, u, in, op, actor, trouble)
		} else {
			u.rest(op)
		}
		if err != nil {
			return v, false, err
		}
	default:
		if v, reason = judge(op, c); v == heal && !room(in, op) {
			v, reason = mismatch, ReasonNoRoom
		}
	}
	if also != nil {
		if err := also(ctx, v, reason); err != nil {
			return v, false, err
		}
	}
	switch v {
	case keep:
		if trouble == "" && c.from != fromWebhook {
			u.rest(op)
		}
	case advance, heal:
		if s.owed(u, op, c) {
			break
		}
		tell = true
		err = s.apply(ctx, u, in, op, c, actor, v == heal)
	case wait:
		err = s.postpone(ctx, u, in, op, actor)
	case inquire:
		op.NextAt = u.now
		op.Lookups = 0 // there is news: patience begins anew
		u.save(op)
		hyperlocal.AfterCommit(ctx, s.wake)
	case mismatch:
		err = s.contradict(ctx, u, in, op, c, actor, reason)
	}
	return v, tell, err
}

// apply gives the operation its new outcome and moves the amounts.
func (s *Service) apply(ctx context.Context, u *unit, in *Intent, op *Operation, c *claim, actor hyperlocal.Actor, healed bool) error {
	waited := op.Outcome == hyperlocal.OutcomePending || op.Outcome == hyperlocal.OutcomeAction
	op.Outcome = c.Outcome
	op.Class, op.Code, op.RetryAfter, op.Action = c.Class, c.Code, c.RetryAfter, c.Action
	if c.Provider != "" {
		op.Provider = c.Provider
	}
	if c.Fee.IsValid() {
		op.Fee = c.Fee
	}
	op.Lookups, op.Attention, op.NextAt = 0, "", time.Time{}
	u.touch(in)
	u.save(op)
	if op.Open() {
		gap, ok := s.policy.gap(op.Outcome, 0)
		if !ok {
			return s.raise(ctx, u, in, op, actor, tiredOf(op.Outcome))
		}
		op.NextAt = u.now.Add(max(gap, 0))
		hyperlocal.AfterCommit(ctx, s.wake)
		return nil
	}
	if waited {
		// It was finished by somebody else just now, not when we asked for it.
		op.At = laterOf(op.At, u.now)
	}
	if op.Outcome == hyperlocal.OutcomeSucceeded {
		s.move(u, in, op, healed)
		s.post(u, op, actor)
		return u.emit(ctx, s, in, actor, moved(in, op))
	}
	release(in, op)
	return u.emit(ctx, s, in, actor, PaymentFailed{Changed: changed(in, op), Class: op.Class, Code: op.Code})
}

// owed puts a capture, void or refund off that the gateway surely did not process. It stays
// open and counts as unsent, so that the janitor sends it again under the same key.
func (s *Service) owed(u *unit, op *Operation, c *claim) bool {
	unprocessed := c.Outcome == hyperlocal.OutcomeDeclined && c.from == fromAnswer &&
		(c.Class == hyperlocal.DeclineRateLimited || c.Class == hyperlocal.DeclineProviderDown)
	began := op.Outcome == hyperlocal.OutcomeProcessing || op.Outcome == hyperlocal.OutcomeUnknown
	if !unprocessed || !began || !ownersMoney(op.Verb) || op.Lookups >= len(s.policy.Owed) {
		return false
	}
	gap := max(s.policy.Owed[op.Lookups], c.RetryAfter)
	op.Lookups++
	op.Sent, op.NextAt = false, u.now.Add(gap)
	op.Class, op.Code, op.RetryAfter = c.Class, c.Code, gap
	u.save(op)
	return true
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// move books what succeeded into the allocations.
func (s *Service) move(u *unit, in *Intent, op *Operation, healed bool) {
	if !healed {
		release(in, op)
	}
	kind := MovementKind("")
	for _, share := range op.Shares {
		a, amount := in.For(share.Owner), share.Amount.Amount()
		switch op.Verb {
		case hyperlocal.VerbCharge:
			a.Captured += amount
			kind = MovedCapture
		case hyperlocal.VerbAuthorize:
			a.Authorized += amount
		case hyperlocal.VerbCapture:
			a.Authorized -= amount
			a.Captured += amount
			kind = MovedCapture
			if gw := s.gateways[op.Gateway]; gw != nil && !gw.Capabilities().MultiCapture {
				a.Authorized = a.Claimed // the gateway lets go of the rest
			}
		case hyperlocal.VerbVoid:
			a.Authorized -= amount
		case hyperlocal.VerbRefund:
			a.Refunded += amount
			kind = MovedRefund
		}
		if kind != "" {
			u.moved = append(u.moved, Movement{Tenant: op.Tenant, Kind: kind, Operation: op.ID, Intent: in.ID,
				Owner: share.Owner, Amount: share.Amount, Provider: op.Provider, At: op.At})
		}
	}
	if op.Verb == hyperlocal.VerbCharge || op.Verb == hyperlocal.VerbAuthorize {
		in.Payment = op.Provider
	}
}

// release gives back what the operation had claimed while it was open.
func release(in *Intent, op *Operation) {
	for _, share := range op.Shares {
		a, amount := in.For(share.Owner), share.Amount.Amount()
		switch op.Verb {
		case hyperlocal.VerbCharge, hyperlocal.VerbAuthorize:
			a.Charging -= amount
		case hyperlocal.VerbCapture, hyperlocal.VerbVoid:
			a.Claimed -= amount
		case hyperlocal.VerbRefund:
			a.Refunding -= amount
		}
	}
}

// room reports whether an operation that gave its claim back can still be booked.
func room(in *Intent, op *Operation) bool {
	for _, share := range op.Shares {
		a, amount := in.For(share.Owner), share.Amount.Amount()
		switch op.Verb {
		case hyperlocal.VerbCharge, hyperlocal.VerbAuthorize:
			if a.Amount-a.Charging-a.Authorized-a.Captured < amount {
				return false
			}
		default:
			if a.rest(op.Verb) < amount {
				return false
			}
		}
	}
	return true
}

// post adds the postings: what was sold or given back per merchant, and the gateway's fee.
func (s *Service) post(u *unit, op *Operation, actor hyperlocal.Actor) {
	clearing := "clearing/" + op.Gateway
	posting := func(kind string, entries ...hyperlocal.Entry) {
		u.postings = append(u.postings, hyperlocal.Posting{
			Tenant: op.Tenant, Reference: kind + "/" + op.ID, Kind: kind, Subject: op.Owner,
			Effective: op.At, Actor: actor, Entries: entries,
		})
	}
	var entries []hyperlocal.Entry
	switch op.Verb {
	case hyperlocal.VerbCharge, hyperlocal.VerbCapture:
		entries = append(entries, hyperlocal.Debit(clearing, op.Amount))
		for _, share := range op.Shares {
			entries = append(entries, hyperlocal.Credit("sales/"+share.Merchant.ID, share.Amount))
		}
		posting("capture", entries...)
	case hyperlocal.VerbRefund:
		for _, share := range op.Shares {
			entries = append(entries, hyperlocal.Debit("sales/"+share.Merchant.ID, share.Amount))
		}
		posting("refund", append(entries, hyperlocal.Credit(clearing, op.Amount))...)
	}
	if op.Fee.Sign() > 0 {
		posting("fee", hyperlocal.Debit("fees/"+op.Gateway, op.Fee), hyperlocal.Credit(clearing, op.Fee))
	}
}

// factsOf are the facts for every owner of an operation, each with its own share and totals.
func (u *unit) factsOf(op *Operation, actor hyperlocal.Actor) ([]hyperlocal.PaymentFact, error) {
	facts := make([]hyperlocal.PaymentFact, len(op.Shares))
	for i, share := range op.Shares {
		f, err := u.fact(op, share)
		if err != nil {
			return nil, err
		}
		f.Actor = actor
		facts[i] = f
	}
	return facts, nil
}

// tell passes facts to their owners, in one call per kind of owner.
func (s *Service) tell(ctx context.Context, facts []hyperlocal.PaymentFact) error {
	byKind := make(map[string][]hyperlocal.PaymentFact)
	for i := range facts {
		byKind[facts[i].Owner.Kind] = append(byKind[facts[i].Owner.Kind], facts[i])
	}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		o, err := s.owner(kind)
		if err != nil {
			return err
		}
		if err := o.ApplyPayment(ctx, byKind[kind]...); err != nil {
			return err
		}
	}
	return nil
}

// lockOwners locks the owners of operations, in one call per kind of owner.
func (s *Service) lockOwners(ctx context.Context, ops []*Operation) error {
	byKind := make(map[string][]hyperlocal.TenantRef)
	for _, op := range ops {
		for _, r := range op.tenantRefs() {
			byKind[r.Ref.Kind] = append(byKind[r.Ref.Kind], r)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		o, err := s.owner(kind)
		if err != nil {
			return err
		}
		if err := o.LockOwners(ctx, sortedOwners(byKind[kind])...); err != nil {
			return err
		}
	}
	return nil
}

// postpone schedules the next lookup, or hands the operation over when none is left.
func (s *Service) postpone(ctx context.Context, u *unit, in *Intent, op *Operation, actor hyperlocal.Actor) error {
	if op.Attention != "" {
		u.rest(op) // a person is at it
		return nil
	}
	op.Lookups++
	gap, ok := s.policy.gap(op.Outcome, op.Lookups)
	if !ok {
		return s.raise(ctx, u, in, op, actor, tiredOf(op.Outcome))
	}
	op.NextAt = u.now.Add(gap)
	u.save(op)
	return nil
}

func tiredOf(outcome hyperlocal.PaymentOutcome) string {
	if outcome == hyperlocal.OutcomePending || outcome == hyperlocal.OutcomeAction {
		return ReasonPendingTooLong
	}
	return ReasonLookupsUsedUp
}

// raise hands the operation to a person. Webhooks, Resolve and Recheck can still settle it.
func (s *Service) raise(ctx context.Context, u *unit, in *Intent, op *Operation, actor hyperlocal.Actor, reason string) error {
	op.Attention, op.NextAt = reason, time.Time{}
	u.touch(in)
	u.save(op)
	return u.emit(ctx, s, in, actor, PaymentNeedsAttention{Changed: changed(in, op), Reason: reason})
}

// contradict records that a gateway claims something else than we know. A webhook changes
// nothing; what the gateway says itself about an open operation hands it to a person.
func (s *Service) contradict(ctx context.Context, u *unit, in *Intent, op *Operation, c *claim, actor hyperlocal.Actor, reason string) error {
	if c.from == fromWebhook {
		return nil // the webhook's own row and event tell
	}
	if op.Attention == reason {
		u.rest(op)
		return nil
	}
	u.touch(in)
	if op.Outcome == hyperlocal.OutcomeProcessing {
		op.Outcome = hyperlocal.OutcomeUnknown
	}
	if err := u.emit(ctx, s, in, actor, PaymentMismatch{
		Operation: op.ID, Intent: in.ID, Gateway: op.Gateway, Reason: reason,
		Claimed: c.Amount, Ours: op.Amount, Outcome: c.Outcome, At: u.now,
	}); err != nil {
		return err
	}
	return s.raise(ctx, u, in, op, actor, reason)
}

func changed(in *Intent, op *Operation) Changed {
	owners := make([]hyperlocal.Ref, len(op.Shares))
	for i, share := range op.Shares {
		owners[i] = share.Owner
	}
	return Changed{
		Operation: op.ID, Intent: in.ID, Owners: owners, Gateway: op.Gateway, Verb: op.Verb, Reference: op.Reference,
		Outcome: op.Outcome, Amount: op.Amount, Authorized: in.Authorized(), Captured: in.Captured(),
		Refunded: in.Refunded(), At: op.At,
	}
}

// moved is the event of a success.
func moved(in *Intent, op *Operation) hyperlocal.Event {
	switch c := changed(in, op); op.Verb {
	case hyperlocal.VerbAuthorize:
		return PaymentAuthorized{c}
	case hyperlocal.VerbVoid:
		return PaymentVoided{c}
	case hyperlocal.VerbRefund:
		return PaymentRefunded{Changed: c, Fee: op.Fee}
	default:
		return PaymentCaptured{Changed: c, Fee: op.Fee}
	}
}

// isStale reports whether somebody else changed the rows first.
func isStale(err error) bool { return errors.Is(err, ErrStale) }
