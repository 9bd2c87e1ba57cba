package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"apache", "\n      Apache License\n   Version 2.0, January 2004\n", "Apache-2.0"},
		{"mit", "The MIT License\n\nPermission is hereby granted, free of\ncharge, to any person", "MIT"},
		{"bsd 3", "Redistributions in binary form must reproduce\nmay be used to endorse or promote\nproducts", "BSD-3-Clause"},
		{"bsd 2", "Redistributions in binary form must reproduce", "BSD-2-Clause"},
		{"something else", "\n  Do as you like  \nreally", "Do as you like"},
		{"empty", "\n", "empty file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := identify(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLicenceOfAModule(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got, err := licence(dir); err != nil || got != "none found" {
		t.Errorf("without a file: %q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "LICENSE.md"), []byte("Apache License Version 2.0"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := licence(dir); err != nil || got != "Apache-2.0" {
		t.Errorf("with a file: %q, %v", got, err)
	}
	if _, err := licence(""); err == nil {
		t.Error("a module that is not there has a licence")
	}
}

func TestRenderSeparatesTestsOnly(t *testing.T) {
	t.Parallel()
	page := string(render([]module{
		{path: "example.com/a", version: "v1.0.0", licence: "MIT", by: map[string]bool{"z": true, "b": true}, byTests: map[string]bool{"c": true}},
		{path: "example.com/t", version: "v2.0.0", licence: "a|b", byTests: map[string]bool{"b": true}},
	}))
	packages, tests, ok := strings.Cut(page, "## Tests only")
	if !ok || !strings.Contains(packages, "| `example.com/a` | v1.0.0 | MIT | b, z |\n") || strings.Contains(packages, "example.com/t") {
		t.Errorf("packages:\n%s", packages)
	}
	if !strings.Contains(tests, "| `example.com/t` | v2.0.0 | a\\|b | b |\n") || strings.Contains(tests, "example.com/a") {
		t.Errorf("tests:\n%s", tests)
	}
}
