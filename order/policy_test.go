package order

import (
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestPolicyRefusesSchedulesThatSpin(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]hyperlocal.Backoff{
		"no gap":               {MaxAttempts: 1_000_000},
		"a negative gap":       {MaxAttempts: 2, Base: -time.Second, Max: time.Second},
		"negative, never used": {Base: -time.Second},
		"a shrinking gap":      {MaxAttempts: 2, Base: time.Minute, Max: time.Second},
		"too much jitter":      {MaxAttempts: 2, Base: time.Second, Max: time.Minute, Jitter: 101},
	} {
		refunds, charges := Policy{RefundRetry: b}, Policy{Retry: map[hyperlocal.DeclineClass]hyperlocal.Backoff{hyperlocal.DeclineSoft: b}}
		if err := refunds.WithDefaults().Validate(); hyperlocal.ReasonOf(err) != "order/invalid_refund_retry" {
			t.Errorf("%s for refunds: %v", name, err)
		}
		if err := charges.WithDefaults().Validate(); hyperlocal.ReasonOf(err) != "order/invalid_retry" {
			t.Errorf("%s for charges: %v", name, err)
		}
	}
	never := Policy{
		RefundRetry: hyperlocal.Backoff{MaxAttempts: 1},
		Retry:       map[hyperlocal.DeclineClass]hyperlocal.Backoff{hyperlocal.DeclineSoft: {}},
	}
	if err := never.WithDefaults().Validate(); err != nil {
		t.Errorf("no retries at all: %v", err)
	}
}

// What fails after an order was changed is no refusal of one command: nothing may be kept.
func TestBrokenTransition(t *testing.T) {
	t.Parallel()
	payment := DefaultPaymentTable()
	for i, r := range payment.Rows {
		if r.Trigger == TriggerDrop {
			payment.Rows[i].Trigger = "never"
		}
	}
	s := &Service{config: Config{Table: DefaultTable(), IDs: hyperlocal.RandomIDs{}}}
	if err := s.build(); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.payment, err = NewMachine(payment); err != nil {
		t.Fatal(err)
	}
	b := deeds{work: s.newWork(time.Now())}
	b.add(Order{ID: "o", State: AwaitingPayment, PaymentStatus: PaymentRetry})
	d := doing{command: &Command{Trigger: TriggerCancel, Actor: hyperlocal.System("test")}, change: b.changes[0]}
	if err := b.obey(t.Context(), &d); !hyperlocal.IsCode(err, hyperlocal.CodePrecondition) || d.err != nil {
		t.Errorf("the batch got %v, the command %v", err, d.err)
	}
	if err := b.flush(t.Context()); err == nil {
		t.Error("half a transition was written")
	}
}
