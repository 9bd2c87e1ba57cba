package audit

import (
	"context"
	"strings"
)

// accountSums is what the entries of an account add up to, and what the ledger says.
type accountSums struct{ entries, balance int64 }

func (a *auditor) account(k Account) *accountSums {
	s := a.accounts[k]
	if s == nil {
		s = &accountSums{}
		a.accounts[k] = s
	}
	return s
}

func (a *auditor) readLedger(ctx context.Context, t Tables) error {
	if err := t.Postings(ctx, func(p Posting) error {
		a.postings[p.ID] = p
		a.byReference[ID{p.ID.Tenant, p.Reference}] = p.ID
		a.elsewhere[p.ID.ID] = p.ID.Tenant
		return nil
	}); err != nil {
		return err
	}
	type leg struct {
		posting ID
		asset   string
	}
	sums := make(map[leg]int64)
	legs := make(map[ID]int)
	debits := make(map[ID]int64) // what a posting moves, for the comparison with payments
	if err := t.Entries(ctx, func(e Entry) error {
		a.entries++
		p, ok := a.postings[e.Posting]
		if !ok {
			a.missing("an entry", e.Posting)
			return nil
		}
		if e.Account.Tenant != p.ID.Tenant {
			a.violate(NoCrossTenant, "posting %s of tenant %s has an entry of tenant %s", p.ID.ID, p.ID.Tenant, e.Account.Tenant)
		}
		sums[leg{e.Posting, e.Account.Asset}] += e.Amount
		legs[e.Posting]++
		if e.Amount > 0 {
			debits[e.Posting] += e.Amount
		}
		a.account(e.Account).entries += e.Amount
		return nil
	}); err != nil {
		return err
	}
	for l, sum := range sums {
		if sum != 0 {
			a.violate(JournalBalanced, "tenant %s posting %s: %s is off by %d", l.posting.Tenant, l.posting.ID, l.asset, sum)
		}
	}
	for id := range a.postings {
		if legs[id] < 2 {
			a.violate(JournalBalanced, "tenant %s posting %s has %d entries", id.Tenant, id.ID, legs[id])
		}
	}
	if err := t.Balances(ctx, func(b Balance) error {
		a.account(b.Account).balance += b.Amount
		return nil
	}); err != nil {
		return err
	}
	return a.matchJournal(ctx, t, debits)
}

// matchJournal compares captures, refunds and credit notes with their postings.
func (a *auditor) matchJournal(ctx context.Context, t Tables, debits map[ID]int64) error {
	want := make(map[ID]int64) // tenant and reference to amount
	if err := t.PaymentMovements(ctx, func(m PaymentMovement) error {
		want[ID{m.Tenant, m.Kind + "/" + m.Operation}] += m.Amount
		return nil
	}); err != nil {
		return err
	}
	for ref, amount := range want {
		id, ok := a.byReference[ref]
		if !ok || debits[id] != amount {
			a.violate(MoneyIsJournal, "tenant %s %s: payments say %d, the journal %d", ref.Tenant, ref.ID, amount, debits[id])
		}
	}
	for ref, id := range a.byReference {
		kind, of, _ := strings.Cut(ref.ID, "/")
		switch kind {
		case "capture", "refund":
			if _, ok := want[ref]; !ok {
				a.violate(MoneyIsJournal, "tenant %s: posting %s has no payment", ref.Tenant, ref.ID)
			}
		case "credit_note":
			c := a.credits[ID{ref.Tenant, of}]
			if c == nil {
				a.missing("posting "+ref.ID, ID{ref.Tenant, of})
				continue
			}
			c.note += debits[id]
		}
	}
	return nil
}

func (a *auditor) compareLedger() {
	for k, s := range a.accounts {
		if s.entries != s.balance {
			a.violate(BalanceIsEntries, "tenant %s account %s in %s: balance %d, entries %d", k.Tenant, k.Path, k.Asset, s.balance, s.entries)
		}
		// A member's points are a credit balance of an account of its own.
		if k.Asset == "POINTS" && strings.Count(k.Path, "/") >= 2 && strings.HasPrefix(k.Path, "points/") {
			if lots := a.members[k]; -s.entries != lots {
				a.violate(PointsAreLots, "tenant %s account %s: %d points, lots hold %d", k.Tenant, k.Path, -s.entries, lots)
			}
		}
	}
	for k, lots := range a.members {
		if _, ok := a.accounts[k]; !ok && lots != 0 {
			a.violate(PointsAreLots, "tenant %s account %s: 0 points, lots hold %d", k.Tenant, k.Path, lots)
		}
	}
}
