// Command hit passes the failpoint "here" three times and prints what came of it.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/failpoint"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	for range 3 {
		err := failpoint.Hit(ctx, "here")
		fmt.Println(failpoint.Hits("here"), err)
	}
}
