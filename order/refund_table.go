package order

import "time"

// RefundTable is the transition table of a refund.
type RefundTable = Table[RefundState, RefundCase]

// RefundCase is what the guards of a refund look at.
type RefundCase struct {
	// Owed: the order will not happen, so nobody but us knows that the money must go back.
	Owed bool
}

// The triggers of a refund. Pend, lose, attend and remind it shares with the other tables.
const (
	TriggerSucceed Trigger = "succeed" // the money is back
	TriggerFail    Trigger = "fail"    // it surely is not
	TriggerRetry   Trigger = "retry"   // a person wants it tried again
	TriggerClose   Trigger = "close"   // a person has settled it otherwise
)

// The guards of a refund.
const (
	GuardOwed    Guard = "owed"
	GuardNotOwed Guard = "not_owed"
)

// The timers of a refund. TimerRemind it shares with the order.
const (
	TimerRefundExecute Timer = "refund_execute" // ask the gateway
	TimerRefundLookup  Timer = "refund_lookup"  // ask how it stands; in the end ask a person
)

// DefaultRefundTable returns the transition table of a refund.
func DefaultRefundTable() RefundTable {
	moving := []RefundState{RefundRequested, RefundPending, RefundUnknown}
	person := []string{ActorMerchant, ActorAdmin, ActorSystem}
	return RefundTable{
		Name: "refund", Initial: RefundRequested, Start: TimerRefundExecute,
		Terminal: []RefundState{RefundSucceeded, RefundFailed},
		Rows: []Row[RefundState]{
			{Trigger: TriggerPend, From: []RefundState{RefundRequested, RefundUnknown}, To: RefundPending, Timer: TimerRefundLookup},
			{Trigger: TriggerLose, From: []RefundState{RefundRequested, RefundPending}, To: RefundUnknown, Timer: TimerRefundLookup},
			// A provider may say "no" first and give the money back all the same.
			{
				Trigger: TriggerSucceed,
				From:    []RefundState{RefundRequested, RefundPending, RefundUnknown, RefundNeedsAttention, RefundFailed},
				To:      RefundSucceeded, Emits: []string{eventRefunded},
			},
			{Trigger: TriggerFail, From: moving, To: RefundFailed, Guard: GuardNotOwed},
			{Trigger: TriggerFail, From: moving, To: RefundNeedsAttention, Guard: GuardOwed, Timer: TimerRemind},
			{Trigger: TriggerAttend, From: moving, To: RefundNeedsAttention, Actors: person, Timer: TimerRemind},
			{Trigger: TriggerRemind, From: []RefundState{RefundNeedsAttention}, To: RefundNeedsAttention, Timer: TimerRemind},
			{
				Trigger: TriggerRetry, From: []RefundState{RefundNeedsAttention, RefundFailed}, To: RefundRequested,
				Actors: person, Timer: TimerRefundExecute,
			},
			{Trigger: TriggerClose, From: []RefundState{RefundNeedsAttention}, To: RefundFailed, Actors: person},
		},
		Guards: map[Guard]func(RefundCase) bool{
			GuardOwed:    func(c RefundCase) bool { return c.Owed },
			GuardNotOwed: func(c RefundCase) bool { return !c.Owed },
		},
		Alarms: []Alarm{
			{Timer: TimerRefundExecute, After: func(p Policy) time.Duration { return p.ExecuteWithin }},
			{Timer: TimerRefundLookup, After: func(p Policy) time.Duration { return p.LookupEvery }},
			{Timer: TimerRemind, After: func(p Policy) time.Duration { return p.RemindEvery }, Trigger: TriggerRemind},
		},
	}
}
