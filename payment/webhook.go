package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Receive takes a webhook in: the gateway's parser proves where it comes from, and the body
// is stored under the provider's event id. It is processed later by ProcessWebhooks, so the
// provider is answered at once; one that was received before is a success. When Receive
// returns nil, the webhook is durable.
//
// Errors: payment/unknown_gateway, also for a gateway without webhooks;
// payment/webhook_too_large; payment/webhook_signature and payment/webhook_stale
// (unauthenticated); payment/webhook_malformed.
func (s *Service) Receive(ctx context.Context, tenant hyperlocal.TenantID, gateway string, headers map[string][]string, body []byte) error {
	if err := tenant.Validate(); err != nil {
		return err
	}
	parser, ok := AbilityOf[WebhookParser](s.gateways[gateway])
	if !ok {
		return ErrUnknownGateway
	}
	if len(body) > MaxWebhookBody {
		return ErrWebhookTooLarge
	}
	now := s.clock.Now()
	notice, err := parse(parser, tenant, now, headers, body)
	if err != nil {
		return err
	}
	w := Webhook{
		Tenant: tenant, Gateway: gateway, Event: notice.Event, Body: append([]byte(nil), body...), Notice: notice,
		State: WebhookPending, NextAt: now, ReceivedAt: now,
	}
	return s.tx.WithinTx(ctx, func(ctx context.Context) error {
		if _, err := s.store.InsertWebhook(ctx, w); err != nil {
			return err
		}
		hyperlocal.AfterCommit(ctx, s.wake)
		return nil
	})
}

// parse survives a parser that panics on input from outside, and bounds what it read.
func parse(p WebhookParser, tenant hyperlocal.TenantID, now time.Time, headers map[string][]string, body []byte) (n Notice, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = ErrWebhookMalformed.WithCause(fmt.Errorf("the parser panicked: %v", r))
		}
	}()
	n, err = p.ParseWebhook(tenant, now, headers, body)
	if err != nil {
		return Notice{}, err
	}
	for _, field := range []struct {
		text  string
		limit int
	}{{n.Event, MaxReference}, {n.Key, MaxReference}, {n.Intent, MaxReference}} {
		if err := hyperlocal.CheckText("payment", "webhook", field.text, field.limit); err != nil {
			return Notice{}, ErrWebhookMalformed.WithCause(err)
		}
	}
	if n.Event == "" {
		return Notice{}, ErrWebhookMalformed.WithMessage("the webhook has no event id")
	}
	if n.Outcome != "" {
		n.setResult(tidy(n.result()))
	}
	return n, nil
}

func (n *Notice) result() Result {
	return Result{Outcome: n.Outcome, Provider: n.Provider, Amount: n.Amount, Fee: n.Fee, Class: n.Class, Code: n.Code, Action: n.Action}
}

func (n *Notice) setResult(r Result) {
	n.Outcome, n.Provider, n.Amount, n.Fee, n.Class, n.Code, n.Action = r.Outcome, r.Provider, r.Amount, r.Fee, r.Class, r.Code, r.Action
}

// ProcessWebhooks applies at most limit stored webhooks (0 means 100), oldest first, each in
// a transaction of its own. It returns how many it worked on and when the next one is due (zero if none
// is). A webhook whose amount, currency, intent or verb differs from ours, or that
// contradicts a success, is recorded as a mismatch and raised by an event; it changes
// nothing. One that tells what we know, or comes late, is ignored. Several processes may
// call it at once; errors of single webhooks are joined and do not stop the others. A negative
// limit is invalid.
func (s *Service) ProcessWebhooks(ctx context.Context, limit int) (n int, next time.Time, err error) {
	if limit, err = dueLimit(limit); err != nil {
		return 0, time.Time{}, err
	}
	var errs []error
	for n < limit && ctx.Err() == nil {
		due, _, err := s.store.DueWebhooks(ctx, s.clock.Now(), min(limit-n, 100))
		if err != nil {
			errs = append(errs, err)
			break
		}
		if len(due) == 0 {
			break
		}
		n += len(due)
		stuck := 0
		for i := range due {
			err := s.process(ctx, due[i])
			if err == nil || isStale(err) { // stale: another process has just done it
				continue
			}
			errs = append(errs, err)
			if e := s.retryWebhook(ctx, due[i]); e != nil {
				errs = append(errs, e)
				stuck++
			}
		}
		if stuck > 0 {
			break // the store is in trouble; the same rows would come again at once
		}
	}
	_, next, err = s.store.DueWebhooks(ctx, s.clock.Now(), 0)
	return n, next, errors.Join(append(errs, err)...)
}

func (s *Service) process(ctx context.Context, w Webhook) error {
	n := &w.Notice
	if n.Key == "" || n.Outcome == "" {
		return s.closeWebhook(ctx, w, WebhookIgnored, "not_about_a_payment")
	}
	op, ok, err := s.store.ByKey(ctx, w.Tenant, w.Gateway, n.Key)
	switch {
	case err != nil:
		return err
	case !ok && n.Outcome == hyperlocal.OutcomeSucceeded:
		return s.closeWebhook(ctx, w, WebhookMismatch, ReasonForeign)
	case !ok:
		return s.closeWebhook(ctx, w, WebhookIgnored, ReasonForeign)
	case n.Intent != "" && n.Intent != op.Intent:
		w.Operation = op.ID
		return s.closeWebhook(ctx, w, WebhookMismatch, ReasonIntent)
	case n.Verb != "" && n.Verb != op.Verb:
		w.Operation = op.ID
		return s.closeWebhook(ctx, w, WebhookMismatch, ReasonVerb)
	}
	return s.tx.WithinTx(ctx, func(ctx context.Context) error {
		_, _, err := s.settle(ctx, &op, &claim{Result: n.result(), from: fromWebhook, hint: s.confirms(w.Gateway)}, "", hyperlocal.System("payment-webhook"),
			func(ctx context.Context, v verdict, reason string) error {
				done := w
				switch v {
				case mismatch:
					done.finish(WebhookMismatch, reason, op.ID, s.clock.Now())
					if err := s.raiseWebhook(ctx, &done, op.Amount); err != nil {
						return err
					}
				case keep, wait:
					done.finish(WebhookIgnored, "known", op.ID, s.clock.Now())
				default:
					done.finish(WebhookApplied, "", op.ID, s.clock.Now())
				}
				return s.store.SaveWebhook(ctx, done)
			})
		return err
	})
}

// confirms reports whether the webhooks of a gateway are hints.
func (s *Service) confirms(gateway string) bool {
	c, ok := AbilityOf[WebhookConfirmer](s.gateways[gateway])
	return ok && c.ConfirmsWebhooks()
}

// WebhookAnswer is what the provider wants to read after Receive returned err; false if it wants
// nothing of its own.
func (s *Service) WebhookAnswer(gateway string, err error) (status int, contentType string, body []byte, ok bool) {
	a, ok := AbilityOf[WebhookAnswerer](s.gateways[gateway])
	if ok {
		status, contentType, body = a.WebhookAnswer(err)
	}
	return status, contentType, body, ok
}

// closeWebhook finishes a webhook that concerns no row of ours.
func (s *Service) closeWebhook(ctx context.Context, w Webhook, state WebhookState, reason string) error {
	return s.tx.WithinTx(ctx, func(ctx context.Context) error {
		w.finish(state, reason, w.Operation, s.clock.Now())
		if state == WebhookMismatch {
			if err := s.raiseWebhook(ctx, &w, hyperlocal.Money{}); err != nil {
				return err
			}
		}
		return s.store.SaveWebhook(ctx, w)
	})
}

// raiseWebhook tells people of a mismatch. The event is about the webhook, not the intent,
// which has not changed.
func (s *Service) raiseWebhook(ctx context.Context, w *Webhook, ours hyperlocal.Money) error {
	e, err := hyperlocal.NewEnvelope(ctx, s.ids, s.clock.Now(), w.Tenant, hyperlocal.System("payment-webhook"),
		hyperlocal.NewRef("payment_webhook", s.ids.NewID()), 1, 0, PaymentMismatch{
			Operation: w.Operation, Intent: w.Notice.Intent, Gateway: w.Gateway, Event: w.Event, Reason: w.Reason,
			Claimed: w.Notice.Amount, Ours: ours, Outcome: w.Notice.Outcome, At: s.clock.Now(),
		})
	if err != nil {
		return err
	}
	return s.outbox.Append(ctx, e)
}

// retryWebhook puts a webhook that could not be applied off, and gives it up in the end.
func (s *Service) retryWebhook(ctx context.Context, w Webhook) error {
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		w := w
		w.Attempts++
		gap, ok := s.policy.Webhooks.Next(w.Attempts, hyperlocal.RandomUint64())
		if ok {
			w.NextAt = s.clock.Now().Add(gap)
			return s.store.SaveWebhook(ctx, w)
		}
		w.finish(WebhookFailed, ReasonNotRecordable, w.Operation, s.clock.Now())
		if err := s.raiseWebhook(ctx, &w, hyperlocal.Money{}); err != nil {
			return err
		}
		return s.store.SaveWebhook(ctx, w)
	})
	if isStale(err) {
		return nil
	}
	return err
}
