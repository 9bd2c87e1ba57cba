package memstore

import (
	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

func auditOrders(s *orderTables, t *audit.Tables) {
	t.Orders = scan(s.orders, func(k order.Key, o order.Order, yield func(audit.Order) error) error {
		return yield(audit.Order{
			ID: auditID(k.Tenant, k.ID), Merchant: o.Merchant.String(), Currency: string(o.Currency), State: string(o.State),
			PaymentStatus: string(o.PaymentStatus), Version: o.Version, LinesTotal: o.LinesTotal.Amount(), Total: o.Total.Amount(),
			Authorized: o.Authorized.Amount(), Captured: o.Captured.Amount(), Refunded: o.Refunded.Amount(),
			NextAction: o.NextAction, NextActionAt: o.NextActionAt,
		})
	})
	t.OrderLines = scan(s.orders, func(k order.Key, o order.Order, yield func(audit.OrderLine) error) error {
		for i := range o.Lines {
			l := &o.Lines[i]
			if err := yield(audit.OrderLine{
				Order: auditID(k.Tenant, k.ID), N: l.N, Quantity: l.Quantity.Value(), UnitPrice: l.UnitPrice.Amount(),
				PriceQuantity: l.PriceQuantity.Value(), Amount: l.Amount.Amount(), Returned: l.Returned,
			}); err != nil {
				return err
			}
		}
		return nil
	})
	t.OrderAdjustments = scan(s.orders, func(k order.Key, o order.Order, yield func(audit.OrderAdjustment) error) error {
		for _, d := range o.Adjustments {
			if err := yield(audit.OrderAdjustment{Order: auditID(k.Tenant, k.ID), Amount: d.Amount.Amount(), Included: d.Included}); err != nil {
				return err
			}
		}
		return nil
	})
	t.OrderHistory = scan(s.history, func(k order.Key, all []order.HistoryEntry, yield func(audit.OrderHistory) error) error {
		for _, h := range all {
			if err := yield(audit.OrderHistory{
				Order: auditID(k.Tenant, k.ID), Version: h.Version, N: h.N, Machine: h.Machine, Trigger: h.Trigger, From: h.From, To: h.To,
			}); err != nil {
				return err
			}
		}
		return nil
	})
	t.Contacts = scan(s.orders, func(k order.Key, o order.Order, yield func(audit.Child) error) error {
		if o.Contact == nil {
			return nil
		}
		return yield(audit.Child{Of: auditID(k.Tenant, k.ID)})
	})
	t.Refunds = scan(s.refunds, func(k refundKey, r order.Refund, yield func(audit.Refund) error) error {
		return yield(audit.Refund{
			ID: auditID(k.tenant, k.id), Order: auditID(k.tenant, r.Order), Credit: r.Credit,
			Currency: string(r.Amount.Currency()), Amount: r.Amount.Amount(), State: string(r.State), Operation: r.Operation,
		})
	})
	t.Credits = scan(s.credits, func(k refundKey, c order.Credit, yield func(audit.Credit) error) error {
		return yield(audit.Credit{
			ID: auditID(k.tenant, k.id), Merchant: c.Merchant.String(), Currency: string(c.Total.Currency()),
			Note: c.NoteAmount.Amount(), Total: c.Total.Amount(),
		})
	})
}
