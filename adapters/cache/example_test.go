package cache_test

import (
	"context"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/cache"
)

// A menu is computed once, until an event tells that it has changed.
func Example() {
	ctx := context.Background()
	menu := hyperlocal.NewRef("merchant", "noodle-bar")
	answers, err := cache.New(cache.Config{
		Affected: func(e hyperlocal.Envelope) []hyperlocal.Ref { return []hyperlocal.Ref{e.Aggregate} },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	price := 9
	ask := func() {
		answer, _, err := answers.Get(ctx, "acme", menu, "menu", func(context.Context) ([]byte, error) {
			fmt.Println("computed")
			return fmt.Appendf(nil, "ramen %d", price), nil
		})
		fmt.Println(string(answer), err)
	}
	ask()
	price = 10
	ask() // still as it was: nobody has told
	answers.Drop(ctx, hyperlocal.Envelope{Tenant: "acme", Aggregate: menu})
	ask()
	// Output:
	// computed
	// ramen 9 <nil>
	// ramen 9 <nil>
	// computed
	// ramen 10 <nil>
}
