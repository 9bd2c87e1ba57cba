package httpapi

import (
	"context"
	"net/http"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// payBody says how the shopper pays.
type payBody struct {
	Gateway   string `doc:"Which payment provider; the default one if left out." json:"gateway,omitempty" maxLength:"32"`
	Method    string `doc:"The provider's token for how the shopper pays; never a card number." json:"method,omitempty" maxLength:"255"`
	Authorize bool   `doc:"Hold the money now and take it later, as the host's policy says." json:"authorize,omitempty"`
}

// refundBody says what is given back.
type refundBody struct {
	Amount *hyperlocal.Money `doc:"All that is left if left out." json:"amount,omitempty"`
	Items  []refundItem      `doc:"Units that come back with it." json:"items,omitempty" maxItems:"5000"`
	Reason string            `json:"reason,omitempty" maxLength:"2000"`
}

type refundItem struct {
	Line     int                 `doc:"Number of the order's line, from 1." json:"line" maximum:"5000" minimum:"1"`
	Quantity hyperlocal.Quantity `json:"quantity"`
	Restock  bool                `doc:"Put the units back on the shelf." json:"restock,omitempty"`
}

type (
	payInput struct {
		OrderPath
		RequiredKey
		Body payBody
	}
	payOutput struct {
		Status   int
		ETag     string `header:"ETag"`
		Replayed string `doc:"true when an earlier request with the same key did it." header:"Idempotency-Replayed"`
		Body     order.PayResult
	}
	refundInput struct {
		OrderPath
		RequiredKey
		Body refundBody
	}
	refundOutput struct {
		Replayed string `doc:"true when an earlier request with the same key did it." header:"Idempotency-Replayed"`
		Body     creditView
	}
)

func (a *api) moneyOperations() {
	register(a, operation{
		id: "payOrder", method: http.MethodPost, path: "/v1/orders/{order}/pay", tag: tagMoney, summary: "Pay what is due of an order",
		about: "200 says how it ended: succeeded, declined, or action_required with what the shopper has to do. " +
			"202 means that the end is not known yet (processing, pending, unknown): read the order, or repeat under the same key. " +
			"Nothing is charged twice.",
		access: shoppers, key: true, also: []int{http.StatusAccepted}, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.payOrder)
	register(a, operation{
		id: "refundOrder", method: http.MethodPost, path: "/v1/orders/{order}/refunds", tag: tagMoney,
		summary: "Give back a part of an order or the rest", about: "The refunds say how far the money is; read them again while they are open.",
		access: merchants, key: true, status: http.StatusCreated, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.refundOrder)
}

func (a *api) payOrder(ctx context.Context, c caller, in *payInput) (*payOutput, error) {
	command := order.PayCommand{
		Tenant: c.Tenant, Actor: c.Actor, Key: in.Key, Order: order.ID(in.Order), Gateway: in.Body.Gateway, Method: in.Body.Method,
		Authorize: in.Body.Authorize,
	}
	if !c.admin() {
		command.Customer = c.customer()
	}
	result, err := a.Orders.Pay(ctx, command)
	if err != nil && (!hyperlocal.IsCode(err, hyperlocal.CodeUnknownOutcome) || result.Order.Version == 0) {
		return nil, err
	}
	out := &payOutput{Status: http.StatusOK, ETag: etag(result.Order.Version), Replayed: replayed(result.Replayed), Body: result}
	switch result.Outcome {
	case hyperlocal.OutcomeProcessing, hyperlocal.OutcomePending, hyperlocal.OutcomeUnknown:
		out.Status = http.StatusAccepted
	case hyperlocal.OutcomeSucceeded, hyperlocal.OutcomeAction, hyperlocal.OutcomeDeclined:
	}
	if err != nil { // the provider was asked, and its answer could not be written down yet
		out.Status, out.Body.Outcome = http.StatusAccepted, hyperlocal.OutcomeUnknown
	}
	return out, nil
}

func (a *api) refundOrder(ctx context.Context, c caller, in *refundInput) (*refundOutput, error) {
	command := order.RefundCommand{
		Tenant: c.Tenant, Actor: c.Actor, Key: in.Key, Order: order.ID(in.Order), Reason: in.Body.Reason,
		Items: make([]order.RefundItem, len(in.Body.Items)),
	}
	if in.Body.Amount != nil {
		command.Amount = *in.Body.Amount
	}
	for i, it := range in.Body.Items {
		command.Items[i] = order.RefundItem{Line: it.Line, Quantity: it.Quantity, Restock: it.Restock}
	}
	if !c.admin() {
		command.Merchant = c.merchant()
	}
	result, err := a.Orders.Refund(ctx, command)
	if err != nil {
		return nil, err
	}
	return &refundOutput{Replayed: replayed(result.Replayed), Body: viewCredit(result.Credit)}, nil
}
