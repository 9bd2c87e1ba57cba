// Package cash is the gateway for notes and coins: on delivery, or at the counter. Nobody is
// called; a person says that the money changed hands.
//
//	authorize   the shopper promises to pay: succeeds at once, so that the order goes on
//	capture     waits (pending) until the courier has the money
//	charge      waits (action_required) until the till has it: Action tells what to ask for there
//	void        the promise is taken back; only while nobody has paid
//	refund      waits (pending) until somebody has handed the money out
//
// What waits is ended by [Gateway.Confirm] or [Gateway.Decline]; then payment.Service.Recheck
// has the next RunDue look it up at once instead of at its next turn:
//
//	waiting, err := gateway.Waiting(ctx, tenant, intent)
//	record, err := gateway.Confirm(ctx, cash.ConfirmCommand{Tenant: tenant, Key: waiting[0].Key, Holder: "courier-7", Actor: actor})
//	err = payments.Recheck(ctx, tenant, record.Operation)
//
// An order that is paid on delivery is authorized, and captured when the courier sets out
// (order.Policy.CaptureOn): the capture then waits at the door with him.
//
// Whoever confirms is the holder of the money, a courier or a till. [Gateway.Float] is what he
// holds: what he took less what he gave back since he last handed it in. [Gateway.Settle] records
// that it was counted and handed in, and what was missing or too much.
//
// It opens no connection and moves no money; it remembers who says so.
package cash
