package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits of what is posted at once. More is refused with code invalid.
const (
	MaxEntries      = 1000   // of one posting
	MaxBatch        = 1000   // postings in one call
	MaxBatchEntries = 20_000 // entries in one call
)

// candidate is a posting on its way: checked, and ready to be decided.
type candidate struct {
	posting     hyperlocal.Posting
	fingerprint [sha256.Size]byte
	net         []Change // what it does to each account, sorted by key; without accounts it leaves as they are
	err         error    // why it is refused whatever the books say
}

// newCandidate checks all that can be checked without the books.
func newCandidate(p hyperlocal.Posting) candidate {
	c := candidate{posting: p}
	if c.err = validate(p); c.err != nil {
		return c
	}
	c.net = net(p)
	c.fingerprint = fingerprint(p)
	return c
}

func validate(p hyperlocal.Posting) error {
	if err := p.Tenant.Validate(); err != nil {
		return err
	}
	if p.Reference == "" {
		return hyperlocal.Invalid("ledger", "reference", "a posting has a reference that names the fact behind it")
	}
	if err := hyperlocal.CheckText("ledger", "reference", p.Reference, MaxReference); err != nil {
		return err
	}
	if p.Kind == "" {
		return hyperlocal.Invalid("ledger", "kind", "a posting says what kind of fact it is")
	}
	if err := hyperlocal.CheckText("ledger", "kind", p.Kind, MaxKind); err != nil {
		return err
	}
	if err := hyperlocal.CheckText("ledger", "reverses", p.Reverses, MaxReference); err != nil {
		return err
	}
	if p.Reverses == p.Reference {
		return hyperlocal.Invalid("ledger", "reverses", "a posting cannot correct itself")
	}
	if err := p.Subject.Validate(); err != nil {
		return err
	}
	if err := p.Actor.Validate(); err != nil {
		return err
	}
	if err := checkTimes("effective", p.Effective); err != nil {
		return err
	}
	if len(p.Entries) < 2 || len(p.Entries) > MaxEntries {
		return hyperlocal.Invalid("ledger", "entries", "a posting has 2 to 1000 entries")
	}
	for _, e := range p.Entries {
		if err := (Account{Path: e.Account, Asset: e.Asset}).Validate(); err != nil {
			return err
		}
		if e.Amount == 0 || e.Amount == math.MinInt64 {
			return hyperlocal.Invalid("ledger", "amount", "the amount of an entry is not zero and has an opposite")
		}
	}
	return balanced(p.Entries)
}

// checkTimes refuses what databases and cursors cannot express.
func checkTimes(field string, times ...time.Time) error {
	for _, t := range times {
		if y := t.UTC().Year(); y < 1 || y > 9999 {
			return hyperlocal.Invalid("ledger", field, "a time lies between the years 1 and 9999")
		}
	}
	return nil
}

// balanced checks that debits equal credits per asset. Debits and credits are added up apart,
// so that the answer does not depend on the order of the entries.
func balanced(entries []hyperlocal.Entry) error {
	type sides struct {
		asset           string
		debits, credits int64
	}
	var all []sides
	for _, e := range entries {
		i := slices.IndexFunc(all, func(s sides) bool { return s.asset == e.Asset })
		if i < 0 {
			i, all = len(all), append(all, sides{asset: e.Asset})
		}
		side, amount := &all[i].debits, e.Amount
		if amount < 0 {
			side, amount = &all[i].credits, -amount
		}
		if *side > math.MaxInt64-amount {
			return ErrOverflow.With("asset", e.Asset)
		}
		*side += amount
	}
	for _, s := range all {
		if s.debits != s.credits {
			return ErrUnbalanced.With("asset", s.asset).With("debits", s.debits).With("credits", s.credits)
		}
	}
	return nil
}

// net adds the entries up per account. As debits and credits of an asset fit into 64 bits, so
// does every partial sum.
func net(p hyperlocal.Posting) []Change {
	out := make([]Change, len(p.Entries))
	for i, e := range p.Entries {
		out[i] = Change{Key: Key{Tenant: p.Tenant, Account: Account{Path: e.Account, Asset: e.Asset}}, Amount: e.Amount}
	}
	slices.SortFunc(out, func(a, b Change) int { return a.Key.Compare(b.Key) })
	n := 0
	for _, c := range out {
		if n > 0 && out[n-1].Key == c.Key {
			out[n-1].Amount += c.Amount
			continue
		}
		out[n], n = c, n+1
	}
	return slices.DeleteFunc(out[:n], func(c Change) bool { return c.Amount == 0 })
}

// fingerprint digests what a posting says. Who said it, when, and when it took effect do not
// count: a fact that is told again later, by somebody else, is the same fact. Nor does the
// order of the entries.
func fingerprint(p hyperlocal.Posting) [sha256.Size]byte {
	entries := slices.Clone(p.Entries)
	slices.SortFunc(entries, func(a, b hyperlocal.Entry) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Asset, b.Asset), cmp.Compare(a.Amount, b.Amount))
	})
	b := make([]byte, 0, 128+48*len(entries))
	for _, text := range []string{p.Kind, p.Subject.Kind, p.Subject.ID, p.Reverses} {
		b = appendText(b, text)
	}
	for _, e := range entries {
		b = appendText(appendText(b, e.Account), e.Asset)
		b = binary.BigEndian.AppendUint64(b, uint64(e.Amount)) //nolint:gosec // the bits are digested, not the value
	}
	return sha256.Sum256(b)
}

// appendText appends a text behind its length, so that no two lists of texts look alike.
func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}
