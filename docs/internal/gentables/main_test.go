package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The committed pages are what the tables say now.
func TestCommitted(t *testing.T) {
	t.Parallel()
	pages, err := files()
	if err != nil {
		t.Fatal(err)
	}
	const folder = "../../state"
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is out of date: run go generate ./order", name)
		}
	}
	found, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(pages) {
		t.Errorf("%s holds %d files, want %d", folder, len(found), len(pages))
	}
}
