package ledger

import (
	"math"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Side is the side on which the balance of an account normally stands.
type Side string

// The sides. What a customer holds with us (points, wallet, gift card) is credit: we owe it.
const (
	DebitSide  Side = "debit"
	CreditSide Side = "credit"
)

// Bound is the rule for accounts that may not fall below a minimum. A posting that would
// bring one lower is refused with [ErrInsufficient]; one that brings it closer to its
// minimum from below is allowed.
//
// The rules belong to the wiring of a process. All processes on one database have the same
// ones: one that lacks a rule posts past it.
type Bound struct {
	// Prefix says which accounts: those whose path begins with it. A segment "*" stands for
	// any one segment, so "points/*/" covers "points/customer/7" and not "points/issued".
	Prefix string
	Asset  string // the rule holds for this asset only
	Side   Side
	// Min is the least balance, counted towards Side. Negative values are a credit line.
	Min int64
}

// DefaultBounds returns the rules that hold when Config.Bounded is nil: nobody's points fall
// below zero.
func DefaultBounds() []Bound {
	return []Bound{{Prefix: "points/*/", Asset: "POINTS", Side: CreditSide, Min: 0}}
}

// Validate refuses a rule that could not mean anything: code invalid.
func (b Bound) Validate() error {
	if err := (Account{Path: b.Prefix, Asset: b.Asset}).Validate(); err != nil {
		return err
	}
	for segment := range strings.SplitSeq(b.Prefix, "/") {
		if strings.Contains(segment, "*") && segment != "*" {
			return hyperlocal.Invalid("ledger", "bound", `in the prefix of a bound, "*" is a whole segment`)
		}
	}
	if b.Side != DebitSide && b.Side != CreditSide {
		return hyperlocal.Invalid("ledger", "bound", "the side of a bound is debit or credit")
	}
	if b.Min == math.MinInt64 {
		return hyperlocal.Invalid("ledger", "bound", "the minimum of a bound is too low")
	}
	return nil
}

// covers reports whether the rule is about accounts with this path.
func (b Bound) covers(path string) bool {
	prefix := b.Prefix
	for {
		star := strings.IndexByte(prefix, '*')
		if star < 0 {
			return strings.HasPrefix(path, prefix)
		}
		if !strings.HasPrefix(path, prefix[:star]) {
			return false
		}
		path, prefix = path[star:], prefix[star+1:]
		end := strings.IndexByte(path, '/')
		if end < 0 {
			end = len(path)
		}
		if end == 0 {
			return false
		}
		path = path[end:]
	}
}

// permits reports whether a bounded account may move by change from one balance to another,
// both counted in debits.
func (b Bound) permits(change, after int64) bool {
	if b.Side == CreditSide {
		// after is never math.MinInt64 here: balances of accepted postings stay above it.
		change, after = -change, -after
	}
	return change >= 0 || after >= b.Min
}

// toSide counts a balance towards the side of the rule.
func (b Bound) toSide(balance int64) int64 {
	if b.Side == CreditSide {
		return -balance
	}
	return balance
}

// bounds is the rule book of a service.
type bounds []Bound

// of returns the rule for an account. The first that covers it holds.
func (bs bounds) of(a Account) (Bound, bool) {
	for _, b := range bs {
		if b.Asset == a.Asset && b.covers(a.Path) {
			return b, true
		}
	}
	return Bound{}, false
}

// assets returns the assets in which the path is bounded, each once.
func (bs bounds) assets(path string) []string {
	var out []string
	for _, b := range bs {
		if !b.covers(path) {
			continue
		}
		known := false
		for _, a := range out {
			known = known || a == b.Asset
		}
		if !known {
			out = append(out, b.Asset)
		}
	}
	return out
}
