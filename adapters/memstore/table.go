package memstore

import (
	"iter"
	"maps"
)

// table is a set of rows by key whose changes a transaction can take back. Rows are stored
// by value: clone the slices, maps and pointers in them on the way in and on the way out.
// Call it only inside db.read or db.write.
type table[K comparable, V any] struct{ rows map[K]V }

func newTable[K comparable, V any]() *table[K, V] { return &table[K, V]{rows: make(map[K]V)} }

// get returns the row at k.
func (t *table[K, V]) get(k K) (V, bool) {
	v, ok := t.rows[k]
	return v, ok
}

// put adds or replaces the row at k.
func (t *table[K, V]) put(tx *tx, k K, v V) {
	tx.record(restore(t, k))
	t.rows[k] = v
}

// del removes the row at k, if there is one.
func (t *table[K, V]) del(tx *tx, k K) {
	if _, ok := t.rows[k]; !ok {
		return
	}
	tx.record(restore(t, k))
	delete(t.rows, k)
}

// all ranges over the rows in no particular order; sort what you return. Rows may be
// removed or replaced while ranging; whether added ones are met is not defined.
func (t *table[K, V]) all() iter.Seq2[K, V] { return maps.All(t.rows) }

// len returns the number of rows.
func (t *table[K, V]) len() int { return len(t.rows) }

// restore returns what brings the row at k back to what it is now.
func restore[K comparable, V any](t *table[K, V], k K) func() {
	old, existed := t.rows[k]
	if existed {
		return func() { t.rows[k] = old }
	}
	return func() { delete(t.rows, k) }
}

// record keeps what takes one change back. A change after the end of the transaction is a
// defect of a store that no error could report to anyone, hence the panic.
func (t *tx) record(undo func()) {
	if t == nil || t.finished {
		panic("memstore: a store changed a table outside a transaction")
	}
	t.undo = append(t.undo, undo)
}
