package ordertest

import (
	"fmt"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// testPlaceLarge takes an order of as many different items as there may be from its placement
// to its end, and gives all of them back.
func testPlaceLarge(t *testing.T, k *kit) {
	c := apples(1)
	c.Lines = make([]order.PlaceLine, order.MaxLines)
	back := make([]order.RefundItem, order.MaxLines)
	for i := range c.Lines {
		item := hyperlocal.ItemID(fmt.Sprintf("item-%05d", i))
		k.stock.Put(tenant, item, "shop", 2)
		c.Lines[i] = order.PlaceLine{
			Title: "One of many", Item: item, Location: "shop", Quantity: hyperlocal.Pieces(2), UnitPrice: gbp(int64(i)),
		}
		back[i] = order.RefundItem{Line: i + 1, Quantity: hyperlocal.Pieces(2), Restock: true}
	}
	id := k.place(c)
	k.pay(id)
	k.fire(id, order.TriggerAccept, order.TriggerReady, order.TriggerDeliver)
	const total = order.MaxLines * (order.MaxLines - 1) // 2 × (0 + 1 + ... + MaxLines-1)
	_, err := k.s.Credit(t.Context(), order.CreditCommand{
		Tenant: tenant, Actor: system, Key: "all-back", Merchant: shop,
		Parts: []order.CreditPart{{Order: id, Amount: gbp(total), Items: back}}, Reason: "all of it",
	})
	noError(t, err)
	o := k.get(id)
	if len(o.Lines) != order.MaxLines || o.Total != gbp(total) {
		t.Fatalf("%d lines, %s", len(o.Lines), o.Total)
	}
	for i, l := range o.Lines {
		if string(l.Item) != fmt.Sprintf("item-%05d", i) || l.Amount != gbp(2*int64(i)) || l.Returned != 2 {
			t.Fatalf("line %d is %+v", i+1, l)
		}
	}
}
