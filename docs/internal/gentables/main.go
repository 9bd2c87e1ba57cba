// Command gentables writes the transition tables of the order context as JSON and as
// Markdown with a diagram. It is run by go generate and compared by its test.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hyperlocal-sdk/hyperlocal/order"
)

func main() {
	out := flag.String("out", "docs/state", "the folder to write to")
	flag.Parse()
	if err := write(*out); err != nil {
		fmt.Fprintln(os.Stderr, "gentables:", err)
		os.Exit(1)
	}
}

// table is what every transition table can do.
type table interface {
	ExportJSON(w io.Writer) error
	ExportMermaid(w io.Writer) error
}

// files returns the pages by name.
func files() (map[string][]byte, error) {
	pages := make(map[string][]byte)
	for name, t := range map[string]table{
		"order":   order.DefaultTable(),
		"payment": order.DefaultPaymentTable(),
		"refund":  order.DefaultRefundTable(),
	} {
		var data, page bytes.Buffer
		if err := t.ExportJSON(&data); err != nil {
			return nil, err
		}
		if err := t.ExportMermaid(&page); err != nil {
			return nil, err
		}
		pages[name+".json"], pages[name+".md"] = data.Bytes(), page.Bytes()
	}
	return pages, nil
}

func write(folder string) error {
	pages, err := files()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // documentation is for everybody to read
		return err
	}
	for name, page := range pages {
		if err := os.WriteFile(filepath.Join(folder, name), page, 0o644); err != nil { //nolint:gosec // as above
			return err
		}
	}
	return nil
}
