package order

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// RefundDecision is what a person decides about a refund that has no automatic answer left.
type RefundDecision struct {
	Tenant   hyperlocal.TenantID
	Actor    hyperlocal.Actor
	Order    ID
	Merchant hyperlocal.Ref // when not zero, must own the order
	Refund   string
	// Retry: ask the gateway again, also about a refund that has failed. Otherwise the
	// refund is closed as failed, which frees its amount: the money was given back by other
	// means, or is not owed.
	Retry  bool
	Reason string
	At     time.Time
}

// ResolveRefund carries out a person's decision about a refund. A gateway that has declined
// a refund for good is not asked again under the same refund: close it and make another.
//
// Errors: ErrNotFound, ErrRefundNotFound, ErrNotAllowed (naming the refund's state),
// ErrActor, ErrRefundTooMuch when the amount of a failed refund has been given back otherwise,
// ErrRefundDeclined when the gateway has declined it for good, and what the payment context
// refuses. Nothing has changed then.
func (s *Service) ResolveRefund(ctx context.Context, d RefundDecision) (Refund, error) {
	if err := problem(
		d.Tenant.Validate(),
		d.Actor.Validate(),
		d.Merchant.Validate(),
		hyperlocal.CheckText("order", "reason", d.Reason, MaxNote),
		checkAt("at", d.At),
		checkID(d.Order),
	); err != nil {
		return Refund{}, err
	}
	var (
		refund Refund
		asked  []hyperlocal.PaymentOperation
	)
	err := s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
		w := s.newWork(s.config.Clock.Now())
		r, err := w.resolveRefund(ctx, &d)
		if err != nil {
			return err
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
		refund, asked = *r, w.asked
		return s.refuseDeclined(ctx, asked)
	})
	if err != nil {
		return Refund{}, err
	}
	if len(asked) == 0 {
		return refund, nil
	}
	s.execute(ctx, asked)
	if all, err := s.config.Store.Refunds(ctx, d.Tenant, d.Order); err == nil {
		for _, r := range all {
			if r.ID == refund.ID {
				refund = r
			}
		}
	}
	return refund, nil
}

// refuseDeclined refuses a retry that the payment context has answered with the operation of
// before, declined for good: nobody would ever ask the gateway.
func (s *Service) refuseDeclined(ctx context.Context, asked []hyperlocal.PaymentOperation) error {
	for _, op := range asked {
		facts, err := s.config.Payments.Status(ctx, op.Tenant, op.ID)
		if err != nil {
			return err
		}
		for _, f := range facts {
			if f.Outcome == hyperlocal.OutcomeDeclined {
				return ErrRefundDeclined.With("refund", op.Reference).With("class", f.Class)
			}
		}
	}
	return nil
}

func (w *work) resolveRefund(ctx context.Context, d *RefundDecision) (*Refund, error) {
	if err := w.lock(ctx, []Key{{d.Tenant, d.Order}}); err != nil {
		return nil, err
	}
	if err := w.loadRefunds(ctx, func(*change) bool { return true }); err != nil {
		return nil, err
	}
	c, err := w.find(d.Tenant, d.Order, d.Merchant, hyperlocal.Ref{})
	if err != nil {
		return nil, err
	}
	who := doer{kind: d.Actor.Kind, actor: d.Actor, at: d.At, reason: d.Reason}
	if who.at.IsZero() {
		who.at = w.now
	}
	for _, r := range c.refunds {
		if r.ID != d.Refund {
			continue
		}
		trigger := TriggerClose
		if d.Retry {
			trigger = TriggerRetry
		}
		if left := c.refundable(); d.Retry && r.State == RefundFailed && left.Amount() < r.Amount.Amount() {
			return nil, ErrRefundTooMuch.With("left", left)
		}
		if !w.s.refund.Can(r.State, trigger, who.kind, RefundCase{}) {
			return nil, w.s.refund.refusal(r.State, trigger, who.kind)
		}
		if err := w.moveRefund(ctx, c, r, trigger, who); err != nil {
			return nil, err
		}
		if d.Retry {
			r.Attempts = 0
			if w.s.config.Payments != nil {
				w.ask(c, hyperlocal.VerbRefund, r.Amount, r.ID, who, func(op hyperlocal.PaymentOperation) { r.Operation = op.ID }, nil)
			}
		}
		return r, nil
	}
	return nil, ErrRefundNotFound.With("refund", d.Refund)
}
