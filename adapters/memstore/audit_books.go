package memstore

import (
	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func auditPayments(s *paymentTables, t *audit.Tables) {
	t.Allocations = scan(s.intents, func(k payment.Key, in payment.Intent, yield func(audit.Allocation) error) error {
		for _, l := range in.Allocations {
			if err := yield(audit.Allocation{
				Tenant: string(k.Tenant), Intent: k.ID, Owner: l.Owner.String(), Currency: string(in.Currency), Amount: l.Amount,
				Authorized: l.Authorized, Captured: l.Captured, Refunded: l.Refunded,
			}); err != nil {
				return err
			}
		}
		return nil
	})
	t.Operations = scan(s.operations, func(k payment.Key, o payment.Operation, yield func(audit.Operation) error) error {
		return yield(audit.Operation{
			ID: auditID(k.Tenant, k.ID), Intent: o.Intent, Owner: o.Owner.String(), Verb: string(o.Verb), Gateway: o.Gateway,
			Key: o.Key, Outcome: string(o.Outcome), Currency: string(o.Amount.Currency()), Amount: o.Amount.Amount(), Sent: o.Sent,
		})
	})
	t.PaymentMovements = scan(s.movements, func(_ paymentMovementKey, m payment.Movement, yield func(audit.PaymentMovement) error) error {
		return yield(audit.PaymentMovement{
			Tenant: string(m.Tenant), Kind: string(m.Kind), Operation: m.Operation, Owner: m.Owner.String(),
			Currency: string(m.Amount.Currency()), Amount: m.Amount.Amount(),
		})
	})
}

func auditAccount(k ledger.Key) audit.Account {
	return audit.Account{Tenant: string(k.Tenant), Path: k.Account.Path, Asset: k.Account.Asset}
}

func auditLedger(s *ledgerTables, t *audit.Tables) {
	t.Postings = scan(s.transactions, func(_ ledger.Reference, x ledger.Transaction, yield func(audit.Posting) error) error {
		return yield(audit.Posting{ID: auditID(x.Tenant, x.ID), Reference: x.Reference, Kind: x.Kind, Subject: x.Subject.String()})
	})
	t.Entries = scan(s.transactions, func(_ ledger.Reference, x ledger.Transaction, yield func(audit.Entry) error) error {
		for _, e := range x.Entries {
			if err := yield(audit.Entry{
				Posting: auditID(x.Tenant, x.ID), Amount: e.Amount,
				Account: audit.Account{Tenant: string(x.Tenant), Path: e.Account, Asset: e.Asset},
			}); err != nil {
				return err
			}
		}
		return nil
	})
	snapshots := scan(s.snapshots, func(k ledger.Key, balance int64, yield func(audit.Balance) error) error {
		return yield(audit.Balance{Account: auditAccount(k), Amount: balance})
	})
	tails := scan(s.tails, func(k ledger.Key, tail ledgerTail, yield func(audit.Balance) error) error {
		for _, amount := range tail.rows {
			if err := yield(audit.Balance{Account: auditAccount(k), Amount: amount}); err != nil {
				return err
			}
		}
		return nil
	})
	t.Balances = concat(snapshots, tails)
}

func auditLoyalty(s *loyaltyTables, t *audit.Tables) {
	t.Lots = scan(s.lots, func(k loyalty.LotKey, l loyalty.Lot, yield func(audit.Lot) error) error {
		return yield(audit.Lot{
			ID: auditID(k.Tenant, k.ID), Member: l.Member.String(), Source: l.Source.String(), Earned: l.Earned, Remaining: l.Remaining,
		})
	})
	t.LotMovements = scan(s.movements, func(_ hyperlocal.TenantRef, all []loyalty.Movement, yield func(audit.LotMovement) error) error {
		for _, m := range all {
			if err := yield(audit.LotMovement{Lot: auditID(m.Tenant, m.Lot), Points: m.Points}); err != nil {
				return err
			}
		}
		return nil
	})
}
