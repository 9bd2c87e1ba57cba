package stripetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is a webhook that Stripe would send.
type Event struct {
	ID, Type, Account string
	About             string // the intent, also for refunds and disputes
	Body              []byte
}

// tell keeps an event with the object as it is now. The lock is held.
func (s *Server) tell(kind string, object any) {
	var account, about string
	var data map[string]any
	switch o := object.(type) {
	case *Intent:
		account, about, data = o.Account, o.ID, s.intentObject(o, false)
	case *Refund:
		account, about, data = o.Account, o.Intent, refundObject(o)
	}
	s.events = append(s.events, s.event(kind, account, about, data))
}

func (s *Server) event(kind, account, about string, data map[string]any) Event {
	e := Event{ID: s.id("evt"), Type: kind, Account: account, About: about}
	o := map[string]any{"id": e.ID, "object": "event", "type": kind, "livemode": s.c.Live, "created": s.c.Now().Unix(),
		"api_version": "2026-08-26.dahlia", "data": map[string]any{"object": data}}
	if account != "" {
		o["account"] = account
	}
	e.Body, _ = json.Marshal(o)
	return e
}

// Events returns what happened, in order.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Last returns the newest event about an intent, and false if there is none.
func (s *Server) Last(intent string) (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.events) {
		if e.About == intent {
			return e, true
		}
	}
	return Event{}, false
}

// Sign returns the headers of a body that is sent at the given time.
func (s *Server) Sign(at time.Time, body []byte) map[string][]string {
	return Sign(s.c.Secret, at, body)
}

// Sign returns the headers of a body that is signed with a secret at the given time.
func Sign(secret string, at time.Time, body []byte) map[string][]string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return map[string][]string{"Stripe-Signature": {fmt.Sprintf("t=%d,v1=%x", at.Unix(), mac.Sum(nil))}}
}

// Finish ends what waits for the shopper or for the bank: he has paid, or it has failed. An
// intent that failed is open again, as Stripe has it.
func (s *Server) Finish(intent string, paid bool) error {
	s.mu.Lock()
	first := len(s.events)
	err := s.finish(intent, paid)
	events, deliver := slices.Clone(s.events[first:]), s.deliver
	s.mu.Unlock()
	for _, e := range events {
		if deliver != nil {
			deliver(e)
		}
	}
	return err
}

func (s *Server) finish(intent string, paid bool) error {
	for _, in := range s.intents {
		if in.ID != intent {
			continue
		}
		if !slices.Contains([]string{"requires_payment_method", "requires_action", "processing"}, in.Status) {
			return fmt.Errorf("stripetest: %s is %s and does not wait", in.ID, in.Status)
		}
		if paid {
			s.succeed(in)
			return nil
		}
		in.Status = "requires_payment_method"
		in.Error = map[string]any{"type": "card_error", "code": "payment_intent_authentication_failure", "message": "The shopper gave up."}
		s.tell("payment_intent.payment_failed", in)
		return nil
	}
	return fmt.Errorf("stripetest: there is no intent %s", intent)
}

// Cancel cancels an intent as somebody could in the dashboard.
func (s *Server) Cancel(intent string) {
	s.inDashboard(intent, func(in *Intent) { s.end(in, "requested_by_customer") })
}

// Capture captures an intent as somebody could in the dashboard.
func (s *Server) Capture(intent string, amount int64) {
	s.inDashboard(intent, func(in *Intent) { s.take(in, amount) })
}

func (s *Server) inDashboard(intent string, do func(*Intent)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.intents {
		if in.ID == intent {
			do(in)
		}
	}
}

// Dispute returns the event of a dispute about an intent: kind is created, updated, closed,
// funds_withdrawn or funds_reinstated.
func (s *Server) Dispute(intent, kind, status string) Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.intents {
		if in.ID == intent {
			return s.event("charge.dispute."+kind, in.Account, in.ID, map[string]any{
				"id": "du_" + strings.TrimPrefix(in.ID, "pi_"), "object": "dispute", "amount": in.Received, "currency": in.Currency,
				"charge": in.Charge, "payment_intent": in.ID, "reason": "fraudulent", "status": status, "livemode": s.c.Live,
				"evidence_details": map[string]any{"due_by": in.Created + 7*24*3600},
			})
		}
	}
	return Event{}
}

// Notify returns an event of any kind about any object, with an id of its own.
func (s *Server) Notify(kind, account string, object map[string]any) Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.event(kind, account, "", object)
}
