package inventory

import "slices"

// Leave lets what was taken for item i leave the shelf at once, as CommitReserved would in a
// later transaction: for a placement that needs nobody's consent any more. It is called right
// after Take(i). Nothing is locked that Decide has not locked.
func (d *decision) Leave(i int) {
	a := &d.asks[i]
	for _, h := range slices.Backward(d.draft.opened) {
		if h.gone || h.Hold() || h.Owner != a.owner || h.Tenant != a.by.tenant {
			return // an earlier item's
		}
		if err := d.draft.end(h, a.by, MoveCommit); err != nil && d.broken == nil {
			d.broken = err
		}
	}
}
