// Command host_tx shows the headline: a host's own row and an order commit or roll back
// together, in the host's own transaction, whether that is a *sql.Tx or a bun.Tx.
//
//	go run ./examples/host_tx                       on a temporary SQLite file
//	go run ./examples/host_tx postgres://...        on PostgreSQL, in a schema of its own
package main

import (
	"context"
	"log"
	"os"
)

func main() {
	dsn := ""
	if len(os.Args) > 1 {
		dsn = os.Args[1]
	}
	if err := run(context.Background(), dsn, os.Stdout); err != nil {
		log.Fatal(err)
	}
}
