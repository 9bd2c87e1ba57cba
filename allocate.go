package hyperlocal

import (
	"cmp"
	"math/bits"
	"slices"
)

// Allocate divides m in proportion to the weights, share i for weight i. The shares sum to m
// exactly, each is less than one minor unit away from its ideal, and a weight of zero gets
// nothing. The units that whole shares leave over go to the largest remainders, ties to the
// lower index. The shares of -m are the opposites of the shares of m.
//
// No weights, a negative one, nothing but zeros, or a sum beyond 64 bits is refused with code
// invalid, reason "money/invalid_weights". Memory and time grow with the number of weights.
func (m Money) Allocate(weights ...int64) ([]Money, error) {
	var total uint64
	for _, w := range weights {
		if w < 0 {
			return nil, invalidWeights("a weight is negative")
		}
		var carry uint64
		if total, carry = bits.Add64(total, uint64(w), 0); carry != 0 {
			return nil, invalidWeights("the sum of the weights is out of range")
		}
	}
	if total == 0 {
		return nil, invalidWeights("at least one weight has to be more than zero")
	}

	type remainder struct {
		index int
		rest  uint64
	}
	left := magnitude(m.amount)
	parts := make([]uint64, len(weights))
	rests := make([]remainder, len(weights))
	whole := left
	for i, w := range weights {
		high, low := bits.Mul64(whole, uint64(w))
		// w <= total and whole <= 1<<63, so high < total and the quotient fits.
		parts[i], rests[i].rest = bits.Div64(high, low, total)
		rests[i].index = i
		left -= parts[i]
	}
	if left > 0 {
		slices.SortFunc(rests, func(a, b remainder) int {
			if a.rest != b.rest {
				return cmp.Compare(b.rest, a.rest)
			}
			return cmp.Compare(a.index, b.index)
		})
		// left is the sum of the remainders over total, each below one, so it is less than
		// the number of remainders that are not zero.
		for _, r := range rests[:left] {
			parts[r.index]++
		}
	}
	return m.shares(parts), nil
}

// maxParts bounds Split, whose n costs the caller nothing to make large.
const maxParts = 1 << 20

// Split divides m into n shares that differ by at most one minor unit, the larger magnitudes
// first, and sum to m exactly. It equals Allocate with n equal weights. An n below 1 or above
// 1,048,576 is refused with code invalid, reason "money/invalid_weights".
func (m Money) Split(n int) ([]Money, error) {
	if n < 1 || n > maxParts {
		return nil, invalidWeights("the number of parts is out of range").With("max_parts", maxParts)
	}
	each, left := magnitude(m.amount)/uint64(n), magnitude(m.amount)%uint64(n)
	parts := make([]uint64, n)
	for i := range parts {
		parts[i] = each
		if uint64(i) < left {
			parts[i]++
		}
	}
	return m.shares(parts), nil
}

// shares gives magnitudes that sum to m's its sign and currency.
func (m Money) shares(parts []uint64) []Money {
	shares := make([]Money, len(parts))
	for i, part := range parts {
		amount, _ := signed(part, m.amount < 0) // no part is larger than m
		shares[i] = Money{amount: amount, currency: m.currency}
	}
	return shares
}
