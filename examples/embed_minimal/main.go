// Command embed_minimal places and pays an order in memory: the smallest program that uses
// the SDK. It prints
//
//	placed: awaiting_payment 8.40 GBP
//	paid: confirmed paid
package main

import (
	"context"
	"log"
	"os"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}
