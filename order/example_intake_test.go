package order_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// With an intake, what shoppers ask for at the same moment is committed together. Nothing
// changes for a caller: everyone gets the answer to their own call. Close it before the
// database.
func ExampleIntake() {
	b, err := open(func(c *order.Config) { c.Intake = &order.Intake{} })
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	errs := make([]error, 30) // shoppers for ten loaves
	var crowd sync.WaitGroup
	for i := range errs {
		crowd.Go(func() {
			c, err := loaves(1)
			if err == nil {
				_, err = b.Place(ctx, c)
			}
			errs[i] = err
		})
	}
	crowd.Wait()
	sold := 0
	for _, err := range errs {
		if err == nil {
			sold++
		}
	}
	fmt.Println(sold, "sold")

	fmt.Println(b.Close(ctx))
	c, err := loaves(1)
	if err == nil {
		_, err = b.Place(ctx, c)
	}
	fmt.Println(errors.Is(err, hyperlocal.ErrGatherClosed), hyperlocal.CodeOf(err))
	// Output:
	// 10 sold
	// <nil>
	// true unavailable
}
