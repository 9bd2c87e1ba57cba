package queue

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Admission is an optional ability of a [hyperlocal.Inbox] that lies in one database with the
// [Parking], found by assertion: both their answers about an event in one question.
type Admission interface {
	// Admit tells whether the consumer has to park the event, as [Parking.Blocked] does; if not,
	// it claims the event as [hyperlocal.Inbox.Claim] does, and tells whether it is fresh, that
	// is, has not been handled before. It joins the transaction of ctx and fails without one.
	Admit(ctx context.Context, consumer string, e hyperlocal.Envelope) (blocked, fresh bool, err error)
}
