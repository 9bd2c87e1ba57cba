package payment

import "github.com/hyperlocal-sdk/hyperlocal"

// source is who says what became of an operation. They are believed to different degrees.
type source int

const (
	fromAnswer  source = iota // the gateway answered the request
	fromLookup                // the gateway answered the question what became of it
	fromWebhook               // the provider called: signed, but late, repeated and out of order
	fromPerson                // a person found out
)

// claim is what a source says.
type claim struct {
	Result
	from source
	hint bool // from a webhook that proves nothing
}

// movesMoney reports whether the claim says that money moved, or announces it.
func (c *claim) movesMoney() bool {
	return c.Outcome != hyperlocal.OutcomeDeclined && c.Outcome != hyperlocal.OutcomeUnknown
}

// verdict is what a claim means for an operation.
type verdict int

const (
	keep     verdict = iota // known already, or late: nothing changes
	advance                 // the operation gets the claimed outcome
	heal                    // a declined operation turns out to have succeeded
	wait                    // nothing new, look again later
	inquire                 // ask the gateway itself, now
	mismatch                // contradicts our rows: raised, never applied
)

// judge compares a claim with the operation. It decides and changes nothing.
//
// Amounts are compared where money moved or is about to. With a decline gateways report
// nothing, zero or what was asked for, and none of it means anything.
//
// A webhook is believed when it says that money moved as we asked, unless it is a hint. When it says that money
// did not move we ask the gateway, because believing a wrong decline means a second charge.
func judge(op *Operation, c *claim) (verdict, string) {
	succeeded := c.Outcome == hyperlocal.OutcomeSucceeded
	if succeeded && !c.Amount.IsValid() {
		return mismatch, ReasonNoAmount
	}
	if c.movesMoney() && c.Amount.IsValid() && c.Amount != op.Amount {
		return mismatch, ReasonAmount
	}
	switch {
	case op.Outcome == hyperlocal.OutcomeSucceeded:
		if c.Outcome == hyperlocal.OutcomeDeclined {
			return mismatch, ReasonContradiction
		}
		return keep, ""
	case op.Outcome == hyperlocal.OutcomeDeclined:
		switch {
		case !succeeded:
			return keep, ""
		case c.from == fromWebhook:
			return inquire, ""
		}
		return heal, ""
	case c.hint && c.movesMoney():
		return inquire, ""
	case succeeded:
		return advance, ""
	case c.Outcome == hyperlocal.OutcomeDeclined:
		if c.from != fromWebhook {
			return advance, ""
		}
		if op.Outcome == hyperlocal.OutcomeProcessing {
			return keep, "" // the answer is on its way; if it is not, the lease ends with a lookup
		}
		return inquire, ""
	case c.Outcome == hyperlocal.OutcomeUnknown:
		if op.Outcome == hyperlocal.OutcomeProcessing && c.from != fromWebhook {
			return advance, ""
		}
	case c.Outcome != op.Outcome: // pending or action_required, and new
		return advance, ""
	}
	if c.from == fromWebhook {
		return keep, ""
	}
	return wait, ""
}
