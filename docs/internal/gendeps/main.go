// Command gendeps writes docs/dependencies.md: every module that a package of ours imports,
// with its version, its licence and the packages that import it.
//
// It is run by go generate in the root of the module and asks go list, so the page says what
// the code does, not what go.mod hopes for. The output depends on nothing but the sources: it
// is sorted, and the platform is fixed.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const output = "docs/dependencies.md"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "gendeps:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	packages, err := list(ctx)
	if err != nil {
		return err
	}
	modules, err := direct(packages)
	if err != nil {
		return err
	}
	if err := os.WriteFile(output, render(modules), 0o644); err != nil { //nolint:gosec // a page for everybody to read
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// pkg is what go list tells about a package.
type pkg struct {
	ImportPath                         string
	ForTest                            string
	Imports, TestImports, XTestImports []string
	Module                             *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Path, Version, Dir string }
	}
}

// list returns our packages and all that they and their tests import.
func list(ctx context.Context) ([]pkg, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-test",
		"-json=ImportPath,ForTest,Imports,TestImports,XTestImports,Module", "./...")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		packages = append(packages, p)
	}
}

// module is a module that we import, and who does.
type module struct {
	path, version, licence string
	by, byTests            map[string]bool // our packages, by their path below the root
}

// direct finds the modules of the packages that ours import.
func direct(packages []pkg) ([]module, error) {
	owner := make(map[string]pkg, len(packages))
	for _, p := range packages {
		if p.ForTest == "" {
			owner[p.ImportPath] = p
		}
	}
	found := map[string]*module{}
	for _, p := range owner {
		if p.Module == nil || !p.Module.Main || strings.HasSuffix(p.ImportPath, ".test") {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, p.Module.Path), "/")
		if name == "" {
			name = "(root)"
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			m := owner[imported].Module
			if m == nil || m.Main {
				continue
			}
			if found[m.Path] == nil {
				version, dir := m.Version, m.Dir
				if m.Replace != nil {
					version, dir = strings.TrimSpace("replaced by "+m.Replace.Path+" "+m.Replace.Version), m.Replace.Dir
				}
				name, err := licence(dir)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", m.Path, err)
				}
				found[m.Path] = &module{path: m.Path, version: version, licence: name, by: map[string]bool{}, byTests: map[string]bool{}}
			}
			if slices.Contains(p.Imports, imported) {
				found[m.Path].by[name] = true
			} else {
				found[m.Path].byTests[name] = true
			}
		}
	}
	modules := make([]module, 0, len(found))
	for _, path := range slices.Sorted(maps.Keys(found)) {
		modules = append(modules, *found[path])
	}
	return modules, nil
}

// licence names the licence in a module's directory: by its SPDX identifier if it is one of
// the usual ones, else by the first line of the file.
func licence(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("not downloaded: run go mod download")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("licence: %w", err)
	}
	for _, prefix := range []string{"license", "licence", "copying", "unlicense"} {
		i := slices.IndexFunc(entries, func(e fs.DirEntry) bool {
			return !e.IsDir() && strings.HasPrefix(strings.ToLower(e.Name()), prefix)
		})
		if i < 0 {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entries[i].Name()))
		if err != nil {
			return "", fmt.Errorf("licence: %w", err)
		}
		return identify(string(text)), nil
	}
	return "none found", nil
}

// identify recognises a licence by a phrase that only it contains.
func identify(text string) string {
	words := strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, known := range []struct{ phrase, id string }{
		{"apache license version 2.0", "Apache-2.0"},
		{"mozilla public license version 2.0", "MPL-2.0"},
		{"mozilla public license, version 2.0", "MPL-2.0"},
		{"gnu affero general public license", "AGPL"},
		{"gnu lesser general public license", "LGPL"},
		{"gnu general public license", "GPL"},
		{"permission is hereby granted, free of charge", "MIT"},
		{"permission to use, copy, modify, and/or distribute this software", "ISC"},
		{"permission to use, copy, modify, and distribute this software", "ISC"},
		{"may be used to endorse or promote products", "BSD-3-Clause"},
		{"redistributions in binary form must reproduce", "BSD-2-Clause"},
		{"free and unencumbered software released into the public domain", "Unlicense"},
	} {
		if strings.Contains(words, known.phrase) {
			return known.id
		}
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return "empty file"
}

func render(modules []module) []byte {
	var b bytes.Buffer
	b.WriteString("# Dependencies\n\n" +
		"Written by `go generate`; do not edit. Every module that a package of ours imports directly.\n" +
		"Most programs need few of them: a module is built in only with the packages that import it.\n")
	section := func(title string, with func(module) map[string]bool) {
		fmt.Fprintf(&b, "\n## %s\n\n| module | version | licence | imported by |\n|---|---|---|---|\n", title)
		for _, m := range modules {
			if by := with(m); len(by) > 0 {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.path, m.version, strings.ReplaceAll(m.licence, "|", `\|`),
					strings.Join(slices.Sorted(maps.Keys(by)), ", "))
			}
		}
	}
	section("Packages", func(m module) map[string]bool { return m.by })
	section("Tests only", func(m module) map[string]bool {
		if len(m.by) > 0 {
			return nil
		}
		return m.byTests
	})
	return b.Bytes()
}
