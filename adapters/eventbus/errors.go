package eventbus

import "github.com/hyperlocal-sdk/hyperlocal"

// Errors of this package.
var (
	// ErrConfig: a constructor was given something incomplete or contradictory.
	ErrConfig = hyperlocal.NewError(hyperlocal.CodeInvalid, "eventbus/config", "the event bus is not configured correctly")
	// ErrRunning: handlers are added before Run, and Run is called once at a time.
	ErrRunning = hyperlocal.NewError(hyperlocal.CodePrecondition, "eventbus/running", "the event bus is running")
	// ErrClosed: the transport has been closed.
	ErrClosed = hyperlocal.NewError(hyperlocal.CodeUnavailable, "eventbus/closed", "the transport is closed")
	// ErrInterrupted: a subscription ended while a message was on its way, so it may not have
	// been handled by everybody.
	ErrInterrupted = hyperlocal.NewError(hyperlocal.CodeUnavailable, "eventbus/interrupted",
		"a subscriber left while the message was on its way; publish it again")
	// ErrUndecodable: a message is not an envelope, or not one that can be trusted.
	ErrUndecodable = hyperlocal.NewError(hyperlocal.CodeInvalid, "eventbus/undecodable", "the message is not an event of ours")
	// ErrUnpublishable: an envelope cannot become a message.
	ErrUnpublishable = hyperlocal.NewError(hyperlocal.CodeInvalid, "eventbus/unpublishable", "the event cannot be published")
	// ErrPanic: a handler panicked. Its effect was rolled back.
	ErrPanic = hyperlocal.NewError(hyperlocal.CodeInternal, "eventbus/panic", "a handler panicked")
	// ErrStopped: the bus stopped before everything was done.
	ErrStopped = hyperlocal.NewError(hyperlocal.CodeUnavailable, "eventbus/stopped", "the event bus stopped")
)
