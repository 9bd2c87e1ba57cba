package order

import (
	"slices"
	"time"
)

// StateTable is the transition table of the order state.
type StateTable = Table[State, *Order]

// The kinds of actor that the default table knows. A host adds its own with Table.Allow.
const (
	ActorShopper  = "shopper"
	ActorMerchant = "merchant"
	ActorCourier  = "courier"
	ActorAdmin    = "admin"
	ActorSystem   = "system"
)

// The triggers of the order state.
const (
	TriggerConfirm       Trigger = "confirm"        // nothing is due, or the money is secured
	TriggerAwaitPayment  Trigger = "await_payment"  // something is due
	TriggerExpire        Trigger = "expire"         // it was not paid in time
	TriggerLateCapture   Trigger = "late_capture"   // the money came after all, the stock is still there, and nothing spent went back
	TriggerAccept        Trigger = "accept"         // the merchant will do it
	TriggerReject        Trigger = "reject"         // the merchant will not
	TriggerPrepare       Trigger = "prepare"        // work has begun
	TriggerReady         Trigger = "ready"          // it waits for the customer or the courier
	TriggerDispatch      Trigger = "dispatch"       // it is on its way
	TriggerDeliver       Trigger = "deliver"        // the customer has it
	TriggerDeliverFailed Trigger = "deliver_failed" // it did not reach the customer
	TriggerComplete      Trigger = "complete"       // it is over and done with
	TriggerCancel        Trigger = "cancel"         // it will not happen
	TriggerLapse         Trigger = "lapse"          // nobody said that a ready order was handed over
	TriggerAttend        Trigger = "attend"         // a person has to decide
	TriggerResolve       Trigger = "resolve"        // a person has decided: back to where it came from
	TriggerRemind        Trigger = "remind"         // nobody has decided yet
)

// The guards of the order state.
const (
	GuardNothingDue     Guard = "nothing_due"
	GuardSomethingDue   Guard = "something_due"
	GuardSecured        Guard = "secured"          // nothing is missing: captured or authorized in full
	GuardNotUnderWay    Guard = "not_under_way"    // no payment is being made
	GuardUnderWay       Guard = "under_way"        // a payment is being made, or its outcome is unknown
	GuardRetry          Guard = "retry"            // another attempt is scheduled
	GuardNotWaiting     Guard = "not_waiting"      // it awaits a payment that it has, or does not need
	GuardHeld           Guard = "held"             // money is authorized and neither captured nor let go of
	GuardUncaptured     Guard = "uncaptured"       // the price is held, and has not been captured
	GuardUnfinished     Guard = "unfinished"       // a person looks at an order that had not been completed
	GuardHandedOverSelf Guard = "handed_over_self" // nobody would say so: digital, on the spot, a service
	GuardHandedOver     Guard = "handed_over"      // somebody should have said so
)

// The timers of the order state.
const (
	TimerSettle          Timer = "settle"           // go on at once
	TimerPaymentDeadline Timer = "payment_deadline" // expire
	TimerPaymentRetry    Timer = "payment_retry"    // charge again
	TimerPaymentWait     Timer = "payment_wait"     // look the outcome up; in the end ask a person
	TimerCapture         Timer = "capture"          // capture the money that is held, before anything else
	TimerUncaptured      Timer = "uncaptured"       // ask a person about money that is still held for a completed order
	TimerVoid            Timer = "void"             // let go of money that is held for nothing
	TimerAccept          Timer = "accept"           // cancel
	TimerPrepare         Timer = "prepare"          // ask a person
	TimerReady           Timer = "ready"            // deliver, or ask a person
	TimerDelivery        Timer = "delivery"         // ask a person
	TimerComplete        Timer = "complete"         // complete
	TimerRemind          Timer = "remind"           // ask again
)

// ReasonAcceptTimeout is recorded when an order is cancelled because no merchant took it.
const ReasonAcceptTimeout = "accept_timeout"

// DefaultTable returns the transition table of the order state that applies unless a host
// brings its own. The result is the caller's.
func DefaultTable() StateTable {
	return StateTable{
		Name:      "order",
		Initial:   Placed,
		Start:     TimerSettle,
		Terminal:  []State{Completed, Cancelled, Expired},
		Rows:      slices.Concat(paymentRows(), merchantRows(), endRows(), attentionRows()),
		Overrides: stateOverrides(),
		Guards:    stateGuards(),
		Alarms:    stateAlarms(),
	}
}

// paymentRows lead from the placement to a confirmed order, or to none.
func paymentRows() []Row[State] {
	return []Row[State]{
		{
			Trigger: TriggerConfirm, From: []State{Placed}, To: Confirmed, Guard: GuardNothingDue,
			Timer: TimerAccept, Emits: []string{eventConfirmed},
		},
		{
			Trigger: TriggerAwaitPayment, From: []State{Placed}, To: AwaitingPayment, Guard: GuardSomethingDue,
			Timer: TimerPaymentDeadline,
		},
		{
			Trigger: TriggerConfirm, From: []State{AwaitingPayment}, To: Confirmed, Guard: GuardSecured,
			Timer: TimerAccept, Emits: []string{eventConfirmed},
		},
		{
			Trigger: TriggerExpire, From: []State{AwaitingPayment}, To: Expired, Guard: GuardNotUnderWay,
			Actors: []string{ActorSystem}, Emits: []string{eventExpired},
		},
		{
			Trigger: TriggerLateCapture, From: []State{Expired}, To: Confirmed, Guard: GuardSecured,
			Timer: TimerAccept, Emits: []string{eventConfirmed},
		},
	}
}

// merchantRows are the work on a confirmed order.
func merchantRows() []Row[State] {
	merchant := []string{ActorMerchant, ActorAdmin, ActorSystem}
	courier := []string{ActorCourier, ActorMerchant, ActorAdmin, ActorSystem}
	return []Row[State]{
		{
			Trigger: TriggerAccept, From: []State{Confirmed}, To: Accepted, Actors: merchant,
			Timer: TimerPrepare, Emits: []string{eventAccepted},
		},
		{
			Trigger: TriggerReject, From: []State{Confirmed}, To: Cancelled, Actors: merchant,
			Emits: []string{eventCancelled},
		},
		{
			Trigger: TriggerPrepare, From: []State{Accepted}, To: Preparing, Actors: merchant,
			Timer: TimerPrepare, Emits: []string{eventPreparing},
		},
		{
			Trigger: TriggerReady, From: []State{Accepted, Preparing}, To: Ready, Actors: merchant,
			Timer: TimerReady, Emits: []string{eventReady},
		},
		{
			Trigger: TriggerDispatch, From: []State{Ready, DeliveryFailed}, To: Dispatched, Actors: courier,
			Timer: TimerDelivery, Emits: []string{eventDispatched},
		},
		{
			Trigger: TriggerDeliver, From: []State{Ready, Dispatched}, To: Delivered, Actors: courier,
			Timer: TimerComplete, Emits: []string{eventDelivered},
		},
		{
			Trigger: TriggerDeliverFailed, From: []State{Dispatched}, To: DeliveryFailed, Actors: courier,
			Timer: TimerDelivery, Emits: []string{eventDeliveryFailed},
		},
	}
}

// endRows lead to the end.
func endRows() []Row[State] {
	everyone := []string{ActorShopper, ActorMerchant, ActorAdmin, ActorSystem}
	return []Row[State]{
		{
			Trigger: TriggerComplete, From: []State{Delivered}, To: Completed, Actors: everyone,
			Emits: []string{eventCompleted},
		},
		{
			Trigger: TriggerLapse, From: []State{Ready}, To: Delivered, Guard: GuardHandedOverSelf,
			Actors: []string{ActorSystem}, Timer: TimerComplete, Emits: []string{eventDelivered},
		},
		{
			Trigger: TriggerCancel, From: []State{AwaitingPayment, Confirmed}, To: Cancelled, Actors: everyone,
			Emits: []string{eventCancelled},
		},
		{
			Trigger: TriggerCancel, From: []State{Accepted, Preparing, Ready, DeliveryFailed}, To: Cancelled,
			Actors: []string{ActorMerchant, ActorAdmin, ActorSystem}, Emits: []string{eventCancelled},
		},
		{ // the goods of a completed order are the customer's: what goes back is refunded
			Trigger: TriggerCancel, From: []State{NeedsAttention}, To: Cancelled, Guard: GuardUnfinished,
			Actors: []string{ActorMerchant, ActorAdmin, ActorSystem}, Emits: []string{eventCancelled},
		},
	}
}

// attended are the states that can be raised to a person, and to which the order returns.
func attended() []State {
	return []State{AwaitingPayment, Confirmed, Accepted, Preparing, Ready, Dispatched, Delivered, DeliveryFailed}
}

// attentionRows raise an order to a person and take it back.
func attentionRows() []Row[State] {
	person := []string{ActorMerchant, ActorAdmin, ActorSystem}
	back := make([]Row[State], 0, len(attended()))
	for _, s := range attended() {
		back = append(back, Row[State]{
			Trigger: TriggerResolve, From: []State{NeedsAttention}, To: s, Guard: CameFrom(s),
			Actors: person, Timer: restTimer(s), Emits: []string{eventResolved},
		})
	}
	// A completed order is over, but for money that was held for it and never captured.
	back = append(back, Row[State]{
		Trigger: TriggerResolve, From: []State{NeedsAttention}, To: Completed, Guard: CameFrom(Completed),
		Actors: person, Emits: []string{eventResolved},
	})
	return slices.Concat([]Row[State]{
		{
			Trigger: TriggerAttend, From: attended(), To: NeedsAttention, Actors: person,
			Timer: TimerRemind, Emits: []string{eventNeedsAttention},
		},
		{
			Trigger: TriggerAttend, From: []State{Completed}, To: NeedsAttention, Guard: GuardUncaptured,
			Actors: []string{ActorSystem}, Timer: TimerRemind, Emits: []string{eventNeedsAttention},
		},
		{
			Trigger: TriggerLapse, From: []State{Ready}, To: NeedsAttention, Guard: GuardHandedOver,
			Actors: []string{ActorSystem}, Timer: TimerRemind, Emits: []string{eventNeedsAttention},
		},
		{
			Trigger: TriggerRemind, From: []State{NeedsAttention}, To: NeedsAttention,
			Actors: []string{ActorSystem}, Timer: TimerRemind, Emits: []string{eventNeedsAttention},
		},
	}, back)
}

// CameFrom names the guard that holds while a person looks at an order that came from s.
func CameFrom(s State) Guard { return "came_from_" + Guard(s) }

// restTimer is the timer of a state that an order can come back to.
func restTimer(s State) Timer {
	switch s {
	case AwaitingPayment:
		return TimerPaymentDeadline
	case Confirmed:
		return TimerAccept
	case Accepted, Preparing:
		return TimerPrepare
	case Ready:
		return TimerReady
	case Delivered:
		return TimerComplete
	default: // Dispatched, DeliveryFailed
		return TimerDelivery
	}
}

// stateOverrides are the timers that depend on the payment status.
func stateOverrides() []Override[State] {
	return []Override[State]{
		{In: []State{AwaitingPayment}, When: GuardUnderWay, Timer: TimerPaymentWait},
		{In: []State{AwaitingPayment}, When: GuardRetry, Timer: TimerPaymentRetry},
		{In: []State{AwaitingPayment}, When: GuardNotWaiting, Timer: TimerSettle},
		{In: []State{Cancelled, Expired}, When: GuardHeld, Timer: TimerVoid},
		{In: []State{Completed}, When: GuardUncaptured, Timer: TimerUncaptured},
		{In: []State{Completed}, When: GuardHeld, Timer: TimerVoid}, // for nothing: it was paid another way
	}
}

func stateGuards() map[Guard]func(*Order) bool {
	is := func(all ...PaymentStatus) func(*Order) bool {
		return func(o *Order) bool { return slices.Contains(all, o.PaymentStatus) }
	}
	not := func(f func(*Order) bool) func(*Order) bool { return func(o *Order) bool { return !f(o) } }
	underWay := is(PaymentProcessing, PaymentUnknown)
	// Nobody presses a button when a file was downloaded or a haircut is done.
	self := func(o *Order) bool {
		return slices.Contains([]Fulfilment{FulfilmentDigital, FulfilmentOnTheSpot, FulfilmentService}, o.Fulfilment)
	}
	guards := map[Guard]func(*Order) bool{
		GuardNothingDue:     is(PaymentNoneDue),
		GuardSomethingDue:   not(is(PaymentNoneDue)),
		GuardSecured:        is(PaymentAuthorized, PaymentPaid, PaymentPartRefunded, PaymentNoneDue),
		GuardUnderWay:       underWay,
		GuardNotUnderWay:    not(underWay),
		GuardRetry:          is(PaymentRetry),
		GuardNotWaiting:     is(PaymentNoneDue, PaymentAuthorized, PaymentPaid, PaymentPartRefunded, PaymentRefunded),
		GuardHeld:           func(o *Order) bool { return o.Authorized.Sign() > 0 },
		GuardUncaptured:     func(o *Order) bool { return o.collectable().Sign() > 0 },
		GuardUnfinished:     func(o *Order) bool { return o.ResumeState != Completed },
		GuardHandedOverSelf: self,
		GuardHandedOver:     not(self),
	}
	for _, s := range append(attended(), Completed) {
		guards[CameFrom(s)] = func(o *Order) bool { return o.ResumeState == s }
	}
	return guards
}

func stateAlarms() []Alarm {
	return []Alarm{
		{Timer: TimerSettle, After: func(Policy) time.Duration { return 0 }},
		{Timer: TimerPaymentDeadline, After: func(p Policy) time.Duration { return p.PaymentWithin }, Trigger: TriggerExpire},
		{Timer: TimerPaymentRetry, After: func(p Policy) time.Duration { return p.LookupEvery }},
		{Timer: TimerPaymentWait, After: func(p Policy) time.Duration { return p.LookupEvery }},
		{Timer: TimerCapture, After: func(Policy) time.Duration { return 0 }},
		{
			Timer: TimerUncaptured, After: func(p Policy) time.Duration { return p.SettleWithin },
			Trigger: TriggerAttend, Reason: ReasonCaptureFailed,
		},
		{Timer: TimerVoid, After: func(Policy) time.Duration { return 0 }},
		{
			Timer: TimerAccept, After: func(p Policy) time.Duration { return p.AcceptWithin },
			Trigger: TriggerCancel, Reason: ReasonAcceptTimeout,
		},
		{Timer: TimerPrepare, After: func(p Policy) time.Duration { return p.PrepareWithin }, Trigger: TriggerAttend, Reason: "prepare_timeout"},
		{Timer: TimerReady, After: func(p Policy) time.Duration { return p.ReadyWithin }, Trigger: TriggerLapse, Reason: "ready_timeout"},
		{Timer: TimerDelivery, After: func(p Policy) time.Duration { return p.DeliverWithin }, Trigger: TriggerAttend, Reason: "delivery_timeout"},
		{Timer: TimerComplete, After: func(p Policy) time.Duration { return p.CompleteAfter }, Trigger: TriggerComplete},
		{Timer: TimerRemind, After: func(p Policy) time.Duration { return p.RemindEvery }, Trigger: TriggerRemind},
	}
}
