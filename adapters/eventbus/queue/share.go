package queue

import (
	"slices"
	"time"
)

// Lease is who holds a shard. An empty owner, or a time in the past, means nobody.
type Lease struct {
	Owner string
	Until time.Time
}

// Share decides for [Leases.Lease] what the shards' leases become: it renews those of owner,
// gives back those beyond the fair share that are not busy, and takes free ones up to it.
// live is the number of relays that have been heard of lately, owner included. The slice is
// indexed by shard and changed in place; the result are the shards that owner then holds.
func Share(leases []Lease, owner string, live int, now, until time.Time, busy []int) []int {
	fair := (len(leases) + max(live, 1) - 1) / max(live, 1)
	var held []int
	for shard := range leases {
		if leases[shard].Owner == owner {
			held = append(held, shard)
		}
	}
	for i := len(held) - 1; i >= 0 && len(held) > fair; i-- {
		if shard := held[i]; !slices.Contains(busy, shard) {
			leases[shard] = Lease{}
			held = slices.Delete(held, i, i+1)
		}
	}
	for shard := range leases {
		l := leases[shard]
		if len(held) < fair && l.Owner != owner && (l.Owner == "" || !l.Until.After(now)) {
			held = append(held, shard)
		}
	}
	for _, shard := range held {
		leases[shard] = Lease{owner, until}
	}
	slices.Sort(held)
	return held
}
