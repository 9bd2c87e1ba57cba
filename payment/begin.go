package payment

import (
	"context"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// SharedCommand asks to charge or authorize one amount for several owners at once: one
// payment for the orders of one checkout.
type SharedCommand struct {
	Tenant    hyperlocal.TenantID
	Shares    []Share // 1 to MaxShares, distinct owners, one currency, each positive
	Customer  hyperlocal.Ref
	Verb      hyperlocal.PaymentVerb // charge or authorize
	Reference string                 // unique per (tenant, first owner, verb)
	Gateway   string
	Method    string
	Actor     hyperlocal.Actor
	At        time.Time
}

// wish is a command after validation.
type wish struct {
	tenant    hyperlocal.TenantID
	shares    []Share
	customer  hyperlocal.Ref
	verb      hyperlocal.PaymentVerb
	amount    hyperlocal.Money // zero Money: everything that is held (void only)
	reference string
	gateway   string
	method    string
	actor     hyperlocal.Actor
	at        time.Time
}

func (w *wish) key() ReferenceKey {
	return ReferenceKey{Tenant: w.tenant, Owner: w.shares[0].Owner, Verb: w.verb, Reference: w.reference}
}

// Begin stores operations, one per command and in their order, in the transaction of ctx or
// in one of its own. Nothing is sent: after the commit the caller calls Execute, and what it
// does not execute within the lease is left to RunDue. Inside a host's transaction and
// inside Owner.ApplyPayment the operations are due for RunDue at once.
//
// A reference that exists is answered with its operation; one whose capture, void or refund
// was declined in a way that may pass is armed again under a new key.
//
// Captures, voids and refunds choose the intent: the oldest of the owner that covers the
// amount. A void may leave the amount zero: everything held for the owner.
//
// It takes at most MaxBatch commands. Errors: invalid, payment/unknown_owner_kind, payment/unknown_gateway, payment/unsupported,
// payment/reference_conflict, payment/exceeds_authorized, payment/exceeds_captured,
// payment/spans_intents, payment/shared_hold, payment/under_way. If one command is refused,
// none is stored.
func (s *Service) Begin(ctx context.Context, commands ...hyperlocal.PaymentCommand) ([]hyperlocal.PaymentOperation, error) {
	wishes := make([]wish, len(commands))
	for i := range commands {
		w, err := s.wishOf(&commands[i])
		if err != nil {
			return nil, err
		}
		wishes[i] = w
	}
	return s.begin(ctx, wishes)
}

// BeginShared is Begin for one charge or authorization that pays for several owners. The
// fact is told to each of them with its own share. Owners are captured and refunded one by
// one, through Begin.
func (s *Service) BeginShared(ctx context.Context, c SharedCommand) (hyperlocal.PaymentOperation, error) {
	w, err := s.sharedWish(&c)
	if err != nil {
		return hyperlocal.PaymentOperation{}, err
	}
	ops, err := s.begin(ctx, []wish{w})
	if err != nil {
		return hyperlocal.PaymentOperation{}, err
	}
	return ops[0], nil
}

func (s *Service) begin(ctx context.Context, wishes []wish) ([]hyperlocal.PaymentOperation, error) {
	if len(wishes) == 0 {
		return nil, nil
	}
	if len(wishes) > MaxBatch {
		return nil, hyperlocal.Invalid("payment", "commands", "at most 4000 commands at a time")
	}
	var owners []hyperlocal.TenantRef
	keys := make([]ReferenceKey, len(wishes))
	for i := range wishes {
		keys[i] = wishes[i].key()
		for _, share := range wishes[i].shares {
			owners = append(owners, hyperlocal.TenantRef{Tenant: wishes[i].tenant, Ref: share.Owner})
		}
	}
	owners = sortedOwners(owners)

	var out []hyperlocal.PaymentOperation
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		out = make([]hyperlocal.PaymentOperation, len(wishes))
		u := s.unitFrom(ctx)
		nested := u != nil && u.covers(owners)
		if !nested {
			var err error
			if u, err = s.lock(ctx, owners); err != nil {
				return err
			}
		}
		// The caller executes what it has begun, if it learns of the commit; else a worker does.
		var mine []Operation
		executor := !nested && afterCommit(ctx, func() { s.begun.add(mine, u.now) })
		if !executor {
			hyperlocal.AfterCommit(ctx, s.wake)
		}
		found, err := s.store.ByReference(ctx, keys...)
		if err != nil {
			return err
		}
		known := make(map[ReferenceKey]*Operation, len(found))
		for i := range found {
			op := &found[i]
			known[ReferenceKey{op.Tenant, op.Owner, op.Verb, op.Reference}] = op
		}
		for _, op := range u.fresh { // begun earlier in this unit and not stored yet
			known[ReferenceKey{op.Tenant, op.Owner, op.Verb, op.Reference}] = op
		}
		for i := range wishes {
			w := &wishes[i]
			var ready bool
			op := known[w.key()]
			if op != nil {
				ready, err = s.again(u, w, op)
			} else {
				op, err = s.open(u, w)
				ready = true
			}
			if err != nil {
				u.broken = err
				return err
			}
			known[w.key()] = op
			out[i] = op.Public()
			if !ready {
				continue
			}
			op.Sent, op.NextAt = executor, u.now
			if executor {
				op.NextAt = u.now.Add(s.policy.Lease)
				mine = append(mine, *op)
			}
		}
		if nested {
			return nil // whoever made the unit writes it
		}
		return u.flush(ctx, s)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// afterCommit is hyperlocal.AfterCommit that tells whether the commit will be seen.
func afterCommit(ctx context.Context, fn func()) bool {
	state := hyperlocal.TxFrom(ctx)
	return state != nil && state.AfterCommit(fn)
}

// again answers a reference that exists; ready tells that the operation is to be executed anew.
func (s *Service) again(u *unit, w *wish, op *Operation) (ready bool, err error) {
	if w.amount.IsValid() && w.amount != op.Amount {
		return false, ErrReferenceConflict.With("reference", w.reference)
	}
	if len(w.shares) > 1 || len(op.Shares) > 1 {
		if len(w.shares) != len(op.Shares) {
			return false, ErrReferenceConflict.With("reference", w.reference)
		}
		for _, share := range w.shares {
			if op.share(share.Owner) != share {
				return false, ErrReferenceConflict.With("reference", w.reference)
			}
		}
	}
	if op.Outcome != hyperlocal.OutcomeDeclined || !ownersMoney(op.Verb) || !retryable(op.Class) {
		return false, nil
	}
	in := u.intents[Key{op.Tenant, op.Intent}]
	if in == nil {
		return false, ErrNotFound.With("intent", op.Intent)
	}
	if err := s.claim(in, op); err != nil {
		return false, err
	}
	u.touch(in)
	if op.Verb == hyperlocal.VerbRefund {
		op.Attempt++
	} else {
		in.Attempts++
		op.Attempt = in.Attempts
	}
	op.Key, op.Payment = op.key(), in.Payment
	op.Outcome, op.Class, op.Code, op.RetryAfter, op.Action = hyperlocal.OutcomeProcessing, "", "", 0, ""
	op.Provider, op.Lookups, op.Attention = "", 0, ""
	op.At, op.BegunAt = w.at, u.now
	u.save(op)
	return true, nil
}

// open makes a new operation.
func (s *Service) open(u *unit, w *wish) (*Operation, error) {
	for _, share := range w.shares {
		if _, err := s.owner(share.Owner.Kind); err != nil {
			return nil, err
		}
	}
	var in *Intent
	var err error
	amount := w.amount
	switch w.verb {
	case hyperlocal.VerbCharge, hyperlocal.VerbAuthorize:
		in, err = s.toCharge(u, w)
	default:
		in, amount, err = s.choose(u, w)
	}
	if err != nil {
		return nil, err
	}
	op := &Operation{
		ID: s.ids.NewID(), Tenant: w.tenant, Intent: in.ID, Owner: w.shares[0].Owner, Shares: w.shares,
		Verb: w.verb, Amount: amount, Reference: w.reference, Gateway: in.Gateway, Method: w.method,
		Attempt: 1, Outcome: hyperlocal.OutcomeProcessing, Payment: in.Payment,
		Actor: w.actor, At: w.at, CreatedAt: u.now, BegunAt: u.now, UpdatedAt: u.now, Version: 1,
	}
	if len(op.Shares) == 1 {
		op.Shares = []Share{{Owner: op.Owner, Merchant: in.For(op.Owner).Merchant, Amount: amount}}
	}
	if err := s.claim(in, op); err != nil {
		return nil, err
	}
	u.touch(in)
	if op.Verb != hyperlocal.VerbRefund {
		in.Attempts++
		op.Attempt = in.Attempts
	}
	op.Key = op.key()
	u.insert(op)
	return op, nil
}

// toCharge returns the intent of an attempt to get money: an untouched one of the same
// owners, so that a retry after a decline is another attempt of the same intent, else a new one.
func (s *Service) toCharge(u *unit, w *wish) (*Intent, error) {
	name := w.gateway
	if name == "" && s.router != nil {
		name = s.router.Route(RouteRequest{
			Tenant: w.tenant, Owner: w.shares[0].Owner, Merchant: w.shares[0].Merchant, Customer: w.customer,
			Verb: w.verb, Method: w.method, Amount: w.amount,
		}).Gateway
	}
	if name == "" {
		name = s.fallback
	}
	gw := s.gateways[name]
	if gw == nil {
		return nil, ErrUnknownGateway.With("gateway", name)
	}
	if !gw.Capabilities().Can(w.verb) {
		return nil, ErrUnsupported.With("gateway", name).With("verb", w.verb)
	}
	currency := w.shares[0].Amount.Currency()
	first := hyperlocal.TenantRef{Tenant: w.tenant, Ref: w.shares[0].Owner}
	for _, in := range u.byOwner[first] {
		if in.Gateway != name || in.Currency != currency || in.Customer != w.customer || len(in.Allocations) != len(w.shares) {
			continue
		}
		fits := true
		for _, share := range w.shares {
			a := in.For(share.Owner)
			fits = fits && a != nil && a.untouched() && a.Merchant == share.Merchant
		}
		if !fits {
			continue
		}
		u.touch(in)
		for _, share := range w.shares {
			in.For(share.Owner).Amount = share.Amount.Amount() // what is due may have changed since
		}
		return in, nil
	}
	in := &Intent{
		ID: s.ids.NewID(), Tenant: w.tenant, Customer: w.customer, Gateway: name, Currency: currency, CreatedAt: u.now,
	}
	for _, share := range w.shares {
		in.Allocations = append(in.Allocations, Allocation{Owner: share.Owner, Merchant: share.Merchant, Amount: share.Amount.Amount()})
	}
	u.touch(in)
	u.include(in)
	return in, nil
}

// choose returns the intent that a capture, void or refund goes to, and its amount.
func (s *Service) choose(u *unit, w *wish) (*Intent, hyperlocal.Money, error) {
	owner := w.shares[0].Owner
	var best *Intent
	var total, largest int64
	for _, in := range u.byOwner[hyperlocal.TenantRef{Tenant: w.tenant, Ref: owner}] {
		if w.amount.IsValid() && in.Currency != w.amount.Currency() {
			continue
		}
		rest := in.For(owner).rest(w.verb)
		if rest == 0 {
			continue
		}
		total, largest = total+rest, max(largest, rest)
		fits := rest >= w.amount.Amount()
		if w.verb == hyperlocal.VerbVoid && w.amount.IsValid() {
			fits = rest == w.amount.Amount()
		}
		if best != nil && w.verb == hyperlocal.VerbVoid && !w.amount.IsValid() {
			return nil, hyperlocal.Money{}, ErrSpansIntents.With("largest", largest)
		}
		if fits && best == nil {
			best = in
		}
	}
	if best == nil {
		short := ErrNothingHeld
		if w.verb == hyperlocal.VerbRefund {
			short = ErrRefundTooMuch
		}
		switch {
		case w.verb == hyperlocal.VerbVoid && total > w.amount.Amount():
			return nil, hyperlocal.Money{}, ErrUnsupported.WithMessage("a void lets go of everything that one payment holds").With("held", largest)
		case total > 0 && total >= w.amount.Amount():
			return nil, hyperlocal.Money{}, ErrSpansIntents.With("largest", largest)
		}
		return nil, hyperlocal.Money{}, short.With("available", total)
	}
	amount := w.amount
	if !amount.IsValid() {
		m, err := hyperlocal.NewMoney(best.For(owner).rest(w.verb), best.Currency)
		if err != nil {
			return nil, hyperlocal.Money{}, err
		}
		amount = m
	}
	return best, amount, s.allowed(best, owner, w.verb, amount.Amount())
}

// rest is what a verb may still claim of an allocation.
func (a *Allocation) rest(verb hyperlocal.PaymentVerb) int64 {
	if verb == hyperlocal.VerbRefund {
		return a.Captured - a.Refunded - a.Refunding
	}
	return a.Authorized - a.Claimed
}

// allowed checks what the gateway can do against what is wanted of it.
func (s *Service) allowed(in *Intent, owner hyperlocal.Ref, verb hyperlocal.PaymentVerb, amount int64) error {
	gw := s.gateways[in.Gateway]
	if gw == nil {
		return ErrUnknownGateway.With("gateway", in.Gateway)
	}
	can := gw.Capabilities()
	no := ErrUnsupported.With("gateway", in.Gateway).With("verb", verb)
	if !can.Can(verb) {
		return no
	}
	var others, claimed int64
	for i := range in.Allocations {
		if a := &in.Allocations[i]; a.Owner != owner {
			others += a.Authorized
		}
		claimed += in.Allocations[i].Claimed
	}
	switch verb {
	case hyperlocal.VerbRefund:
		if !can.PartialRefund && amount != in.Captured().Amount() {
			return no.WithMessage("the gateway refunds a payment in whole or not at all")
		}
	case hyperlocal.VerbVoid:
		if others > 0 {
			return ErrSharedHold
		}
		if claimed > 0 {
			return ErrUnderWay
		}
	case hyperlocal.VerbCapture:
		if !can.PartialCapture && amount != in.Authorized().Amount() {
			return no.WithMessage("the gateway captures a hold in whole or not at all")
		}
		if !can.MultiCapture && others > 0 {
			return ErrSharedHold
		}
		if !can.MultiCapture && claimed > 0 {
			return ErrUnderWay
		}
	}
	return nil
}

// claim takes the operation's amount out of what other operations may still use. Nothing is
// changed if it does not fit.
func (s *Service) claim(in *Intent, op *Operation) error {
	for _, share := range op.Shares {
		a, amount := in.For(share.Owner), share.Amount.Amount()
		if a == nil {
			return ErrNotFound.With("owner", share.Owner)
		}
		switch op.Verb {
		case hyperlocal.VerbCapture, hyperlocal.VerbVoid:
			if a.rest(op.Verb) < amount {
				return ErrNothingHeld.With("available", a.rest(op.Verb))
			}
		case hyperlocal.VerbRefund:
			if a.rest(op.Verb) < amount {
				return ErrRefundTooMuch.With("available", a.rest(op.Verb))
			}
		}
	}
	for _, share := range op.Shares {
		a, amount := in.For(share.Owner), share.Amount.Amount()
		switch op.Verb {
		case hyperlocal.VerbCharge, hyperlocal.VerbAuthorize:
			a.Charging += amount
		case hyperlocal.VerbCapture, hyperlocal.VerbVoid:
			a.Claimed += amount
		case hyperlocal.VerbRefund:
			a.Refunding += amount
		}
	}
	return nil
}

func (s *Service) wishOf(c *hyperlocal.PaymentCommand) (wish, error) {
	w := wish{
		tenant: c.Tenant, shares: []Share{{Owner: c.Owner, Merchant: c.Merchant, Amount: c.Amount}},
		customer: c.Customer, verb: c.Verb, amount: c.Amount, reference: c.Reference,
		gateway: c.Gateway, method: c.Method, actor: c.Actor, at: c.At,
	}
	switch c.Verb {
	case hyperlocal.VerbCharge, hyperlocal.VerbAuthorize:
		if err := checkShare(w.shares[0]); err != nil {
			return w, err
		}
	case hyperlocal.VerbCapture, hyperlocal.VerbVoid, hyperlocal.VerbRefund:
		w.gateway, w.method, w.customer = "", "", hyperlocal.Ref{}
		if c.Verb == hyperlocal.VerbVoid && c.Amount.IsZero() {
			w.amount = hyperlocal.Money{}
			break
		}
		if !c.Amount.IsValid() || c.Amount.Sign() <= 0 {
			return w, hyperlocal.Invalid("payment", "amount", "an amount is positive and has a currency")
		}
	default:
		return w, hyperlocal.Invalid("payment", "verb", "a verb is charge, authorize, capture, void or refund")
	}
	return w, s.check(&w)
}

func (s *Service) sharedWish(c *SharedCommand) (wish, error) {
	w := wish{
		tenant: c.Tenant, shares: append([]Share(nil), c.Shares...), customer: c.Customer, verb: c.Verb,
		reference: c.Reference, gateway: c.Gateway, method: c.Method, actor: c.Actor, at: c.At,
	}
	if c.Verb != hyperlocal.VerbCharge && c.Verb != hyperlocal.VerbAuthorize {
		return w, hyperlocal.Invalid("payment", "verb", "only a charge or an authorization is shared")
	}
	if len(c.Shares) == 0 || len(c.Shares) > MaxShares {
		return w, hyperlocal.Invalid("payment", "shares", "an operation is for 1 to 100 owners")
	}
	seen := make(map[hyperlocal.Ref]bool, len(c.Shares))
	amounts := make([]hyperlocal.Money, len(c.Shares))
	for i, share := range c.Shares {
		if err := checkShare(share); err != nil {
			return w, err
		}
		if err := checkOwner(c.Tenant, share.Owner); err != nil {
			return w, err
		}
		if seen[share.Owner] {
			return w, hyperlocal.Invalid("payment", "shares", "an owner is named twice")
		}
		seen[share.Owner], amounts[i] = true, share.Amount
	}
	total, err := hyperlocal.Sum(amounts[0].Currency(), amounts...)
	if err != nil {
		return w, err
	}
	w.amount = total
	return w, s.check(&w)
}

func checkShare(share Share) error {
	if !share.Amount.IsValid() || share.Amount.Sign() <= 0 {
		return hyperlocal.Invalid("payment", "amount", "an amount is positive and has a currency")
	}
	if share.Merchant.IsZero() {
		return hyperlocal.Invalid("payment", "merchant", "is required")
	}
	return share.Merchant.Validate()
}

// check validates what all commands have in common and fills in the effective time.
func (s *Service) check(w *wish) error {
	if err := checkOwner(w.tenant, w.shares[0].Owner); err != nil {
		return err
	}
	if err := w.customer.Validate(); err != nil {
		return err
	}
	if err := w.actor.Validate(); err != nil {
		return err
	}
	if w.reference == "" {
		return hyperlocal.Invalid("payment", "reference", "is required")
	}
	if err := hyperlocal.CheckText("payment", "reference", w.reference, MaxReference); err != nil {
		return err
	}
	if w.gateway != "" {
		if err := checkGatewayName(w.gateway); err != nil {
			return err
		}
		if s.gateways[w.gateway] == nil {
			return ErrUnknownGateway.With("gateway", w.gateway)
		}
	}
	if err := hyperlocal.CheckText("payment", "method", w.method, MaxMethod); err != nil {
		return err
	}
	if looksLikeCard(w.method) {
		return ErrMethodLooksLikeCard
	}
	w.at = hyperlocal.Instant(w.at)
	if w.at.IsZero() {
		w.at = s.clock.Now()
	}
	return nil
}

// looksLikeCard reports whether text is 12 to 19 digits, blanks and dashes apart, with a
// valid check digit (ISO/IEC 7812-1, annex B). A token has letters.
func looksLikeCard(text string) bool {
	digits := strings.NewReplacer(" ", "", "-", "").Replace(text)
	if len(digits) < 12 || len(digits) > 19 {
		return false
	}
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
