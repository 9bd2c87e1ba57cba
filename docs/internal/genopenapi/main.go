// Command genopenapi writes docs/openapi.json: the description of the HTTP API as the code of
// adapters/httpapi states it.
//
// It is run by go generate in the root of the module. A test of that package compares.
package main

import (
	"fmt"
	"os"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
)

const output = "docs/openapi.json"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "genopenapi:", err)
		os.Exit(1)
	}
}

func run() error {
	page, err := httpapi.OpenAPI()
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if err := os.WriteFile(output, page, 0o644); err != nil { //nolint:gosec // a page for everybody to read
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
