package order

import "slices"

// PaymentTable is the transition table of the payment status. It has no timers of its own:
// the order's state and payment status name one together, see Table.Overrides.
type PaymentTable = Table[PaymentStatus, PaymentCase]

// PaymentCase is what the guards of the payment status look at: the order with the amounts
// after the fact.
type PaymentCase struct {
	Order *Order
	// RetryLeft: the policy allows another attempt without the shopper, before the deadline.
	RetryLeft bool
}

// net is what the merchant has of the money: captured and not given back.
func (c PaymentCase) net() int64 { return c.Order.Captured.Amount() - c.Order.Refunded.Amount() }

// The triggers of the payment status.
const (
	TriggerOwe        Trigger = "owe"        // something is due
	TriggerBegin      Trigger = "begin"      // an attempt is made
	TriggerPend       Trigger = "pend"       // the provider or the shopper needs time
	TriggerLose       Trigger = "lose"       // nobody knows the outcome
	TriggerSoft       Trigger = "soft"       // declined, but may succeed later
	TriggerHard       Trigger = "hard"       // declined for good
	TriggerDrop       Trigger = "drop"       // no further attempt without the shopper
	TriggerAuthorized Trigger = "authorized" // money is held
	TriggerCaptured   Trigger = "captured"   // money was taken
	TriggerReleased   Trigger = "released"   // held money was let go
	TriggerGivenBack  Trigger = "given_back" // captured money was given back
)

// The guards of the payment status. What was captured and not given back is the net amount.
const (
	GuardCovered     Guard = "covered"       // the net amount is the total or more
	GuardCoveredHeld Guard = "covered_held"  // it is, together with what is held
	GuardShort       Guard = "short"         // it is not
	GuardBackWhole   Guard = "back_whole"    // nothing is left of the net amount
	GuardBackPart    Guard = "back_part"     // the net amount is less than the total
	GuardNotBack     Guard = "not_back"      // something is left of the net amount
	GuardRetryLeft   Guard = "retry_left"    // the policy allows another attempt
	GuardNoRetryLeft Guard = "no_retry_left" // it does not
)

// DefaultPaymentTable returns the transition table of the payment status.
func DefaultPaymentTable() PaymentTable {
	open := []PaymentStatus{PaymentDue, PaymentRetry, PaymentProcessing, PaymentUnknown}
	attempt := []PaymentStatus{PaymentProcessing, PaymentUnknown}
	rows := []Row[PaymentStatus]{
		{Trigger: TriggerOwe, From: []PaymentStatus{PaymentNoneDue}, To: PaymentDue},
		{Trigger: TriggerBegin, From: []PaymentStatus{PaymentDue, PaymentRetry}, To: PaymentProcessing},
		{Trigger: TriggerPend, From: []PaymentStatus{PaymentUnknown}, To: PaymentProcessing},
		{Trigger: TriggerLose, From: []PaymentStatus{PaymentProcessing}, To: PaymentUnknown},
		{Trigger: TriggerSoft, From: attempt, To: PaymentRetry, Guard: GuardRetryLeft},
		{Trigger: TriggerSoft, From: attempt, To: PaymentDue, Guard: GuardNoRetryLeft},
		{Trigger: TriggerHard, From: attempt, To: PaymentDue},
		{Trigger: TriggerDrop, From: []PaymentStatus{PaymentRetry}, To: PaymentDue},
		{Trigger: TriggerAuthorized, From: open, To: PaymentAuthorized, Guard: GuardCoveredHeld},
		{Trigger: TriggerAuthorized, From: open[1:], To: PaymentDue, Guard: GuardShort},
		{
			Trigger: TriggerCaptured, From: slices.Concat(open, []PaymentStatus{PaymentAuthorized, PaymentNoneDue}),
			To: PaymentPaid, Guard: GuardCovered,
		},
		{Trigger: TriggerCaptured, From: open, To: PaymentAuthorized, Guard: GuardCoveredHeld},
		{
			Trigger: TriggerCaptured, From: slices.Concat(open[1:], []PaymentStatus{PaymentAuthorized}),
			To: PaymentDue, Guard: GuardShort,
		},
		// Money that comes again after all of it was given back.
		{Trigger: TriggerCaptured, From: []PaymentStatus{PaymentRefunded}, To: PaymentPartRefunded, Guard: GuardNotBack},
		{Trigger: TriggerReleased, From: []PaymentStatus{PaymentAuthorized}, To: PaymentDue, Guard: GuardShort},
		{Trigger: TriggerGivenBack, From: []PaymentStatus{PaymentPaid}, To: PaymentPartRefunded, Guard: GuardBackPart},
		{
			Trigger: TriggerGivenBack, From: []PaymentStatus{PaymentPaid, PaymentPartRefunded},
			To: PaymentRefunded, Guard: GuardBackWhole,
		},
	}
	for i, r := range rows {
		if r.Trigger != TriggerOwe { // that one is part of the placement
			rows[i].Emits = []string{eventPaymentChanged}
		}
	}
	return PaymentTable{
		Name: "payment", Initial: PaymentNoneDue,
		Terminal: []PaymentStatus{PaymentNoneDue, PaymentRefunded},
		Rows:     rows, Guards: paymentGuards(),
	}
}

func paymentGuards() map[Guard]func(PaymentCase) bool {
	covered := func(c PaymentCase) bool { return c.net() >= c.Order.Total.Amount() }
	held := func(c PaymentCase) bool {
		// Compared by subtraction, which cannot overflow: all three are at least zero.
		return !covered(c) && c.Order.Authorized.Amount() >= c.Order.Total.Amount()-c.net()
	}
	return map[Guard]func(PaymentCase) bool{
		GuardCovered:     covered,
		GuardCoveredHeld: held,
		GuardShort:       func(c PaymentCase) bool { return !covered(c) && !held(c) },
		GuardBackWhole:   func(c PaymentCase) bool { return c.net() <= 0 },
		GuardNotBack:     func(c PaymentCase) bool { return c.net() > 0 },
		GuardBackPart:    func(c PaymentCase) bool { return c.net() > 0 && !covered(c) },
		GuardRetryLeft:   func(c PaymentCase) bool { return c.RetryLeft },
		GuardNoRetryLeft: func(c PaymentCase) bool { return !c.RetryLeft },
	}
}
