package bunstore

import (
	"strings"
	"testing"
)

// TestBatchPlans checks that SQLite looks the rows of a batch up by their keys. A search by
// the tenant alone goes through all that a tenant has, once per row of the batch.
func TestBatchPlans(t *testing.T) {
	t.Parallel()
	s := openStore(t, SQLite)
	two := []string{"a", "b"}
	ids := []string{"01a1fbde-35da-7edf-b757-6205997811ff", "01a1fbde-35da-7edf-b757-6205997811fe"}
	r := newRel(2)
	for _, name := range []string{
		"tenant", "merchant", "title", "title_key", "description", "kind", "state", "currencies", "sku", "member",
	} {
		r.text(name, two)
	}
	r.uuid("id", ids).uuid("circle_id", ids).int("version", []int64{1, 2}).int("updated_at", []int64{1, 2})
	for name, q := range map[string]struct {
		text string
		args []any
	}{
		"save products": {text: saveProducts}, "delete prices": {text: deletePrices}, "shops": {text: getShops},
		"products": {text: getProducts}, "variants": {text: variantsOf}, "prices": {text: pricesOf},
		"products by SKU": {productsBySKU, []any{"t", "m"}}, "sellables": {sellables, []any{"t", "m"}},
		"circles": {text: getCircles}, "members": {text: getMembers},
	} {
		st, err := s.statement(q.text, r, len(q.args))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := s.pool.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+st.text, append(q.args, r.document())...)
		if err != nil {
			t.Fatal(name, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(step, "(tenant=?)") || strings.HasPrefix(step, "SCAN ") && !strings.Contains(step, "VIRTUAL TABLE") {
				t.Errorf("%s: %s", name, step)
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
		_ = rows.Close()
	}
}
