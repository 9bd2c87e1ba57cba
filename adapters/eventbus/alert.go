package eventbus

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// AlertKind says what a person should look at.
type AlertKind string

// The alerts.
const (
	// AlertBrokerDown: the broker takes no messages. They are kept and nothing is lost.
	AlertBrokerDown AlertKind = "broker_down"
	// AlertBrokerUp: it takes messages again.
	AlertBrokerUp AlertKind = "broker_up"
	// AlertEventStuck: an event could not be published in all its attempts, and the later
	// ones of its aggregate wait behind it. See [Bus.Stuck] and [Bus.Revive].
	AlertEventStuck AlertKind = "event_stuck"
	// AlertDeadLetter: a consumer could not handle a message in all its attempts. See
	// [Bus.Parked] and [Bus.Retry].
	AlertDeadLetter AlertKind = "dead_letter"
)

// Alert tells a host what needs a person. It holds ids only.
type Alert struct {
	Kind      AlertKind
	Tenant    hyperlocal.TenantID
	Aggregate hyperlocal.Ref
	Version   int64
	Consumer  string // of a dead letter
	EventID   string
	EventName string
	Error     string
}

// AlertFunc is told alerts, at least once each. It must not block.
type AlertFunc func(ctx context.Context, a Alert)
