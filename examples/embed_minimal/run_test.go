package main

import (
	"bytes"
	"testing"
)

func TestEmbedMinimal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	const want = "placed: awaiting_payment 8.40 GBP\npaid: confirmed paid\n"
	if out.String() != want {
		t.Fatalf("printed\n%s\nwant\n%s", &out, want)
	}
}
