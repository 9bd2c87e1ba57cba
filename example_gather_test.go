package hyperlocal_test

import (
	"context"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Calls of concurrent callers share one write; each gets its own result.
func ExampleGather() {
	type deposit struct {
		tenant hyperlocal.TenantID
		amount int64
	}
	var balance int64
	gather, err := hyperlocal.NewGather(hyperlocal.GatherConfig{Committers: 1},
		func(d deposit) hyperlocal.TenantID { return d.tenant },
		func(_ context.Context, batch []deposit) ([]int64, error) { // one transaction
			balances := make([]int64, len(batch))
			for i, d := range batch {
				balance += d.amount
				balances[i] = balance
			}
			return balances, nil
		})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	fmt.Println(gather.Do(ctx, deposit{"acme", 5}))
	fmt.Println(gather.Do(ctx, deposit{"acme", 7}))
	fmt.Println(gather.Close(ctx))
	// Output:
	// 5 <nil>
	// 12 <nil>
	// <nil>
}
