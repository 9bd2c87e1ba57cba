package reconcile

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// The accounts of a gateway, each followed by its name. Payment debits clearing with what a
// gateway took for us and credits it with what it gave back and kept; a statement moves that
// to the balance at the provider, so clearing is empty when both agree.
const (
	accountClearing = "clearing/" // what the gateway owes us by our books
	accountFees     = "fees/"
	accountBalance  = "balance/"  // what the provider says that it holds for us
	accountTransit  = "transit/"  // paid out, on its way to the bank
	accountDisputes = "disputes/" // taken back by shoppers' banks
	accountExchange = "exchange/" // what the provider converted, a leg in each currency
	accountSuspense = "suspense/" // what nobody can explain yet
)

type leg struct {
	account string
	asset   hyperlocal.Currency
}

// legs sum up entries by account and asset. The first problem is kept.
type legs struct {
	sums map[leg]hyperlocal.Money
	err  error
}

// add adds m, or takes it away; the zero Money is nothing.
func (g *legs) add(account string, m hyperlocal.Money, away bool) {
	if !m.IsValid() || g.err != nil {
		return
	}
	k := leg{account, m.Currency()}
	sum, ok := g.sums[k]
	switch {
	case !ok && !away:
		sum = m
	case !ok:
		sum, g.err = m.Neg()
	case away:
		sum, g.err = sum.Sub(m)
	default:
		sum, g.err = sum.Add(m)
	}
	g.sums[k] = sum
}

// entriesOf returns what lines and the operations that they settle do to the accounts of a
// gateway. What does not cancel out goes to the account rest. No entries if nothing moves.
func entriesOf(gateway string, lines []*Line, operations []*operation, rest string) ([]hyperlocal.Entry, error) {
	g := &legs{sums: make(map[leg]hyperlocal.Money)}
	left := &legs{sums: make(map[leg]hyperlocal.Money)} // what is still to be balanced
	put := func(account string, m hyperlocal.Money, away bool) {
		g.add(account+gateway, m, away)
		left.add("", m, !away)
	}
	for _, l := range lines {
		put(accountBalance, l.Net, false)
		put(accountFees, l.Fee, false)
	}
	for _, o := range operations {
		put(accountClearing, o.amount, true)
		put(accountClearing, o.booked(), false)
		put(accountFees, o.booked(), true)
	}
	for _, m := range left.sums {
		g.add(rest+gateway, m, false)
	}
	if err := cmp.Or(g.err, left.err); err != nil {
		return nil, err
	}
	return g.entries(), nil
}

func (g *legs) entries() []hyperlocal.Entry {
	var entries []hyperlocal.Entry
	for _, k := range slices.SortedFunc(maps.Keys(g.sums), func(a, b leg) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.asset, b.asset))
	}) {
		if sum := g.sums[k]; !sum.IsZero() {
			entries = append(entries, hyperlocal.Debit(k.account, sum)) // a negative debit is a credit
		}
	}
	return entries
}

// taken returns the entries that take a posting out of suspense: all of it for account "",
// else what is in suspense moves to that account.
func taken(posted []hyperlocal.Entry, account string) []hyperlocal.Entry {
	var entries []hyperlocal.Entry
	for _, e := range posted {
		back := hyperlocal.Entry{Account: e.Account, Asset: e.Asset, Amount: -e.Amount}
		switch {
		case account == "":
			entries = append(entries, back)
		case strings.HasPrefix(e.Account, accountSuspense):
			entries = append(entries, back, hyperlocal.Entry{Account: account, Asset: e.Asset, Amount: e.Amount})
		}
	}
	return entries
}

// restOf says where the provider's own lines go.
func restOf(kind Kind) string {
	switch kind {
	case KindFee:
		return accountFees
	case KindDispute:
		return accountDisputes
	case KindPayout:
		return accountTransit
	}
	return accountSuspense
}

func lineReference(run *Run, number int) string {
	return "reconcile/" + run.ID + "/" + strconv.Itoa(number)
}

// post hands postings to the journal, if there is one. Those without entries move nothing.
func (s *Service) post(ctx context.Context, postings []hyperlocal.Posting) error {
	if s.journal == nil {
		return nil
	}
	postings = slices.DeleteFunc(postings, func(p hyperlocal.Posting) bool { return len(p.Entries) == 0 })
	for part := range slices.Chunk(postings, MaxPostings) {
		if err := s.journal.Post(ctx, part...); err != nil {
			return err
		}
	}
	return nil
}
