package order

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Reasons that the service itself gives for a refund.
const (
	ReasonLateCapture = "late_capture" // the money came after the order had ended
	ReasonOverCapture = "over_capture" // more was captured than the order costs
)

// Credit gives money back: parts of orders, units with them, and a credit note. All of it is
// recorded in one transaction or nothing is; then the gateways are asked, outside of any
// transaction. What a gateway does not answer in time is seen through by RunDue, so the
// refunds of the result may still be requested, pending or unknown. Inside the caller's own
// transaction the gateways are left to the workers.
//
// A repeated key or external reference is answered with the credit that exists, as it stands
// now, Replayed.
//
// Errors: code invalid for bad input and another currency than the order's; ErrNotFound for
// an order that does not exist or is not the merchant's or customer's; ErrRefundTooMuch with
// the field left; ErrReturnTooMuch; ErrNotAllowed for units of an order whose stock has not
// left the shelf; ErrExternalConflict; ErrKeyReused; ErrKeyInProgress.
func (s *Service) Credit(ctx context.Context, c CreditCommand) (CreditResult, error) {
	if err := c.validate(); err != nil {
		return CreditResult{}, err
	}
	return s.credit(ctx, crediting{
		command: c, route: "order.credit", content: creditContent{
			Merchant: c.Merchant, Customer: c.Customer, External: c.External, Parts: c.Parts, Note: c.NoteAmount,
			Reason: c.Reason, At: hyperlocal.Instant(c.At),
		},
	})
}

// Refund gives back a part or, without an amount, the rest of one order. It is a credit with
// one part; see Credit.
func (s *Service) Refund(ctx context.Context, c RefundCommand) (CreditResult, error) {
	credit := CreditCommand{
		Tenant: c.Tenant, Actor: c.Actor, Key: c.Key, External: c.External, Merchant: c.Merchant,
		Parts: []CreditPart{{Order: c.Order, Amount: c.Amount, Items: c.Items}}, Reason: c.Reason, At: c.At,
	}
	if err := credit.validateCommon(); err != nil {
		return CreditResult{}, err
	}
	if c.Amount.IsZero() && c.Amount.IsValid() && len(c.Items) == 0 {
		return CreditResult{}, invalid("amount", "a refund gives back money or units")
	}
	return s.credit(ctx, crediting{
		command: credit, route: "order.refund", rest: c.Amount == (hyperlocal.Money{}), one: true,
		content: creditContent{
			Merchant: c.Merchant, External: c.External, Parts: credit.Parts, Reason: c.Reason, At: hyperlocal.Instant(c.At),
		},
	})
}

// creditContent is what a repetition of a credit must repeat.
type creditContent struct {
	Merchant, Customer hyperlocal.Ref
	External           hyperlocal.External
	Parts              []CreditPart
	Note               hyperlocal.Money
	Reason             string
	At                 time.Time
}

// validate refuses everything that does not depend on the orders.
func (c *CreditCommand) validate() error {
	if c.Merchant.IsZero() {
		return invalid("merchant", "a credit names its merchant")
	}
	if len(c.Parts) == 0 && c.NoteAmount.IsZero() {
		return invalid("parts", "a credit gives something back")
	}
	if c.NoteAmount.Sign() < 0 {
		return invalid("note_amount", "a credit note is not negative")
	}
	for _, p := range c.Parts {
		if p.Amount.IsZero() && len(p.Items) == 0 {
			return invalid("parts", "a part gives back money or units")
		}
	}
	return c.validateCommon()
}

func (c *CreditCommand) validateCommon() error {
	if err := problem(
		c.Tenant.Validate(),
		c.Actor.Validate(),
		hyperlocal.IdempotencyKey{Tenant: c.Tenant, Key: c.Key}.Validate(),
		c.External.Validate(),
		c.Merchant.Validate(),
		c.Customer.Validate(),
		hyperlocal.CheckText("order", "reason", c.Reason, MaxNote),
		checkAt("at", c.At),
	); err != nil {
		return err
	}
	if len(c.Parts) > maxCreditParts {
		return invalid("parts", "a credit has at most 1000 parts")
	}
	for _, p := range c.Parts {
		if err := checkID(p.Order); err != nil {
			return err
		}
		if p.Amount.Sign() < 0 {
			return invalid("amount", "what is given back is not negative")
		}
		if len(p.Items) > maxRefundItems {
			return invalid("items", "a part has at most 5000 items")
		}
		for _, it := range p.Items {
			if !it.Quantity.IsValid() || it.Quantity.Sign() <= 0 {
				return invalid("items", "the quantity given back is positive and has a unit")
			}
		}
	}
	return nil
}

// crediting is a credit on its way.
type crediting struct {
	command CreditCommand
	route   string
	content creditContent
	rest    bool // refund all that is left
	one     bool // a refund: the merchant is the order's
}

func (s *Service) credit(ctx context.Context, g crediting) (CreditResult, error) {
	digest, err := hyperlocal.Fingerprint(g.content)
	if err != nil {
		return CreditResult{}, err
	}
	var (
		result CreditResult
		asked  []hyperlocal.PaymentOperation
	)
	err = again(ctx, func() error {
		return s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
			w := s.newWork(s.config.Clock.Now())
			r, err := w.credit(ctx, &g, digest)
			if err != nil {
				return err
			}
			result, asked = r, w.asked
			return nil
		})
	})
	if err != nil {
		return CreditResult{}, err
	}
	return s.seeThrough(ctx, result, asked), nil
}

// seeThrough asks the gateways, and reads the credit again as it stands then. A failing
// gateway fails nobody: the refund is recorded, and RunDue sees to it.
func (s *Service) seeThrough(ctx context.Context, r CreditResult, asked []hyperlocal.PaymentOperation) CreditResult {
	if len(asked) == 0 || hyperlocal.InTx(ctx) {
		return r
	}
	s.execute(ctx, asked)
	if now, ok, err := s.config.Store.GetCredit(ctx, r.Credit.Tenant, r.Credit.ID); err == nil && ok {
		r.Credit = now
	}
	return r
}

// credit is the transaction of a credit.
func (w *work) credit(ctx context.Context, g *crediting, digest string) (CreditResult, error) {
	c := &g.command
	key := keyOf(c.Tenant, c.Actor, g.route, c.Key, digest)
	if c.Key != "" {
		claims, err := w.s.config.Idempotency.Claim(ctx, []hyperlocal.IdempotencyKey{key})
		if err != nil {
			return CreditResult{}, err
		}
		if claims[0].Err != nil {
			return CreditResult{}, claims[0].Err
		}
		if !claims[0].Fresh {
			return w.replayCredit(ctx, c.Tenant, claims[0].Result)
		}
	}
	if !c.External.IsZero() {
		known, ok, err := w.s.config.Store.CreditByExternal(ctx, c.Tenant, c.External)
		if err != nil {
			return CreditResult{}, err
		}
		if ok && known.Fingerprint != digest {
			return CreditResult{}, ErrExternalConflict.With("credit", known.ID)
		}
		if ok {
			return CreditResult{Credit: known, Replayed: true}, w.s.remember(ctx, key, storedCredit{known.ID})
		}
	}
	credit, err := w.giveCredit(ctx, g, digest)
	if err != nil {
		return CreditResult{}, err
	}
	if err := w.flush(ctx); err != nil {
		return CreditResult{}, err
	}
	return CreditResult{Credit: *credit}, w.s.remember(ctx, key, storedCredit{credit.ID})
}

// storedCredit is what idempotency keeps of a credit: the rest is read afresh.
type storedCredit struct {
	Credit string `json:"credit"`
}

func (w *work) replayCredit(ctx context.Context, tenant hyperlocal.TenantID, raw json.RawMessage) (CreditResult, error) {
	var stored storedCredit
	if err := decode(raw, &stored); err != nil {
		return CreditResult{}, err
	}
	credit, ok, err := w.s.config.Store.GetCredit(ctx, tenant, stored.Credit)
	if err == nil && !ok {
		err = ErrRefundNotFound
	}
	return CreditResult{Credit: credit, Replayed: true}, err
}

// giveCredit checks a credit against its locked orders and notes what follows.
func (w *work) giveCredit(ctx context.Context, g *crediting, digest string) (*Credit, error) {
	c := &g.command
	var keys []Key
	for _, p := range c.Parts {
		if k := (Key{c.Tenant, p.Order}); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if err := w.lock(ctx, keys); err != nil {
		return nil, err
	}
	if err := w.loadRefunds(ctx, func(*change) bool { return true }); err != nil {
		return nil, err
	}
	who := doer{kind: c.Actor.Kind, actor: c.Actor, at: c.At, reason: c.Reason}
	if who.at.IsZero() {
		who.at = w.now
	}
	who.at = hyperlocal.Instant(who.at)
	credit := &Credit{
		ID: w.s.config.IDs.NewID(), Tenant: c.Tenant, External: c.External, Merchant: c.Merchant, Customer: c.Customer,
		NoteAmount: c.NoteAmount, Reason: c.Reason, EffectiveAt: who.at, CreatedAt: w.now, Fingerprint: digest,
	}
	for _, p := range c.Parts {
		ch, err := w.find(c.Tenant, p.Order, c.Merchant, c.Customer)
		if err != nil {
			return nil, err
		}
		if g.one {
			credit.Merchant, credit.Customer = ch.o.Merchant, ch.o.Customer
		}
		if g.rest {
			left := ch.refundable()
			if left.Sign() <= 0 && len(p.Items) == 0 {
				return nil, ErrRefundTooMuch.With("left", left)
			}
			p.Amount = left
		}
		if err := w.part(ctx, credit, ch, p, who); err != nil {
			return nil, err
		}
	}
	if err := credit.sum(); err != nil {
		return nil, err
	}
	w.credits = append(w.credits, credit)
	return credit, w.issue(ctx, credit, who)
}

// sum sets the total of a credit; its parts and its note are of one currency.
func (c *Credit) sum() error {
	currency := c.NoteAmount.Currency()
	if len(c.Refunds) > 0 {
		currency = c.Refunds[0].Amount.Currency()
	}
	zero, err := hyperlocal.NewMoney(0, currency)
	if err != nil {
		return err
	}
	if c.NoteAmount.IsZero() {
		c.NoteAmount = zero
	}
	amounts := []hyperlocal.Money{c.NoteAmount}
	for _, r := range c.Refunds {
		amounts = append(amounts, r.Amount)
	}
	c.Total, err = hyperlocal.Sum(currency, amounts...)
	return err
}

// issue tells the world and the books of a credit.
func (w *work) issue(ctx context.Context, c *Credit, d doer) error {
	e, err := hyperlocal.NewEnvelope(ctx, w.s.config.IDs, w.now, c.Tenant, d.actor, hyperlocal.NewRef("credit", c.ID), 1, 1, CreditIssued{
		Credit: c.ID, Merchant: c.Merchant, Customer: c.Customer, Total: c.Total, Note: c.NoteAmount, At: d.at,
	})
	if err != nil {
		return err
	}
	w.events = append(w.events, e)
	if c.NoteAmount.Sign() <= 0 {
		return nil
	}
	w.postings = append(w.postings, hyperlocal.Posting{
		Tenant: c.Tenant, Reference: "credit_note/" + c.ID, Kind: "credit_note",
		Subject: hyperlocal.NewRef("credit", c.ID), Effective: d.at, Actor: d.actor,
		Entries: []hyperlocal.Entry{
			hyperlocal.Debit("sales/"+c.Merchant.ID, c.NoteAmount),
			hyperlocal.Credit("credit_notes/"+c.Merchant.ID, c.NoteAmount),
		},
	})
	return nil
}

// part adds the refund of one order to a credit.
func (w *work) part(ctx context.Context, credit *Credit, c *change, p CreditPart, d doer) error {
	if p.Amount == (hyperlocal.Money{}) {
		zero, err := hyperlocal.NewMoney(0, c.o.Currency)
		if err != nil {
			return err
		}
		p.Amount = zero
	}
	if p.Amount.Currency() != c.o.Currency {
		return hyperlocal.ErrCurrencyMismatch.With("left", c.o.Currency).With("right", p.Amount.Currency())
	}
	if left := c.refundable(); p.Amount.Amount() > left.Amount() {
		return ErrRefundTooMuch.With("order", c.o.ID).With("left", left)
	}
	if err := w.s.checkUnits(c, p.Items); err != nil {
		return err
	}
	return w.newRefund(ctx, credit, c, p.Amount, p.Items, d)
}

// checkUnits refuses units that were not sold, were given back already, or have not left
// the shelf: those are still reserved, and an order that will not happen is cancelled.
func (s *Service) checkUnits(c *change, items []RefundItem) error {
	if len(items) == 0 {
		return nil
	}
	if s.progressOf(&c.o) < stage(s.config.Policy.CommitOn) {
		return ErrNotAllowed.With("state", c.o.State).With("trigger", "return")
	}
	back := make(map[int]int64)
	for _, it := range items {
		if it.Line < 1 || it.Line > len(c.o.Lines) {
			return invalid("items", "the order has no such line").With("line", it.Line)
		}
		l := &c.o.Lines[it.Line-1]
		if it.Quantity.Unit() != l.Quantity.Unit() {
			return invalid("items", "the line counts in another unit").With("line", it.Line).With("unit", l.Quantity.Unit())
		}
		left := l.Quantity.Value() - l.Returned - back[it.Line]
		if it.Quantity.Value() > left {
			return ErrReturnTooMuch.With("line", it.Line).With("left", left)
		}
		back[it.Line] += it.Quantity.Value()
	}
	return nil
}
