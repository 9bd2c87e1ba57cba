package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// reasonBody says why, in words.
type reasonBody struct {
	Reason string `doc:"Why; kept in the order's history." json:"reason,omitempty" maxLength:"2000"`
}

type (
	commandInput struct {
		OrderPath
		OptionalKey
		IfMatchParam
		Body *reasonBody
	}
	commandOutput struct {
		ETag     string `header:"ETag"`
		Replayed string `doc:"true when an earlier request with the same key did it." header:"Idempotency-Replayed"`
		Body     order.Summary
	}
	// step is one of the order service's commands.
	step func(*order.Service, context.Context, order.Command) (order.CommandResult, error)
)

func (a *api) orderCommands() {
	for _, s := range []struct {
		id, verb, summary string
		step              step
	}{
		{"acceptOrder", "accept", "The merchant will do it", (*order.Service).Accept},
		{"rejectOrder", "reject", "The merchant will not do it; stock and money go back", (*order.Service).Reject},
		{"prepareOrder", "prepare", "Work has begun", (*order.Service).Prepare},
		{"readyOrder", "ready", "It waits for the customer or the courier", (*order.Service).Ready},
		{"dispatchOrder", "dispatch", "It is on its way", (*order.Service).Dispatch},
		{"deliverOrder", "deliver", "The customer has it", (*order.Service).Deliver},
		{"failDelivery", "fail-delivery", "It did not reach the customer", (*order.Service).FailDelivery},
		{"completeOrder", "complete", "It is over and done with", (*order.Service).Complete},
		{"resolveOrder", "resolve", "A person has looked at it: back to where it came from", (*order.Service).Resolve},
	} {
		register(a, commandOperation(s.id, s.verb, s.summary, merchants), func(ctx context.Context, c caller, in *commandInput) (*commandOutput, error) {
			command, err := in.command(c)
			if err != nil {
				return nil, err
			}
			if !c.admin() {
				command.Merchant = c.merchant()
			}
			return a.run(ctx, s.step, command)
		})
	}
	register(a, commandOperation("cancelOrder", "cancel",
		"It will not happen; stock and money go back. Shoppers may until the order is accepted", concerned), a.cancelOrder)
}

func commandOperation(id, verb, summary string, who access) operation {
	return operation{
		id: id, method: http.MethodPost, path: "/v1/orders/{order}/" + verb, tag: tagWork, summary: summary, access: who,
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
	}
}

func (in *commandInput) command(c caller) (order.Command, error) {
	version, err := in.version()
	command := order.Command{Tenant: c.Tenant, Actor: c.Actor, Key: in.Key, Order: order.ID(in.Order), Version: version}
	if in.Body != nil {
		command.Reason = in.Body.Reason
	}
	return command, err
}

func (a *api) cancelOrder(ctx context.Context, c caller, in *commandInput) (*commandOutput, error) {
	command, err := in.command(c)
	if err != nil {
		return nil, err
	}
	if !c.admin() {
		o, err := a.order(ctx, c, in.Order)
		if err != nil {
			return nil, err
		}
		if c.inside(&o) {
			command.Merchant = c.merchant()
		} else {
			command.Customer = c.customer()
		}
	}
	return a.run(ctx, (*order.Service).Cancel, command)
}

// run gives a command to the service. A conditional one that comes too late fails with the
// status that HTTP has for it.
func (a *api) run(ctx context.Context, s step, command order.Command) (*commandOutput, error) {
	result, err := s(a.Orders, ctx, command)
	if command.Version != 0 && errors.Is(err, order.ErrStale) {
		p := a.problem(ctx, err)
		p.Status, p.Title = http.StatusPreconditionFailed, title(http.StatusPreconditionFailed)
		return nil, p
	}
	if err != nil {
		return nil, err
	}
	return &commandOutput{ETag: etag(result.Order.Version), Replayed: replayed(result.Replayed), Body: result.Order}, nil
}
