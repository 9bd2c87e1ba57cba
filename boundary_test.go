package hyperlocal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The borders of this module, as a test. What they are for is in the architecture notes: a
// context knows the root package and nothing else of ours, so that each can be used, tested
// and replaced without the others, and without a database, a broker or a web server.

const modulePath = "github.com/hyperlocal-sdk/hyperlocal"

const dbtestPath = modulePath + "/adapters/storetest/dbtest"

var (
	contexts = []string{"catalog", "order", "inventory", "payment", "loyalty", "community", "ledger"}

	topLevel = slices.Concat(contexts, []string{"adapters", "examples", "docs", ".ci", ".git", ".github",
		".cache", "bin"}) // the last two are local and ignored by git

	// foreignToContexts is what neither a context nor the root package reaches, however indirectly.
	foreignToContexts = []string{"database/sql", "net/http", "github.com/uptrace/bun", "github.com/ThreeDotsLabs/watermill",
		modulePath + "/adapters", modulePath + "/examples"}

	// contextLibraries are the only modules that a context or the root package imports.
	// A further one is a decision: add it here with its reason.
	contextLibraries = []string{
		"github.com/shopspring/decimal", // rates, percentages and weights
		"github.com/looplab/fsm",        // interprets the order's transition table
		"golang.org/x/text",             // Unicode normalisation and case folding
	}

	// testLibraries are for _test.go files alone; dbtest, which is part of them, may start containers.
	testLibraries = []string{"github.com/testcontainers", "github.com/stretchr/testify", "pgregory.net/rapid",
		"go.uber.org/goleak", "github.com/alicebob/miniredis", "github.com/anishathalye/porcupine"}

	emptyNames = []string{"common", "util", "utils", "helper", "helpers", "pkg", "types"}
)

// maxOrderModules bounds what somebody downloads who wants the order context alone.
const maxOrderModules = 10

// listedPackage is what go list says about a package.
type listedPackage struct {
	ImportPath, Name           string
	Imports, TestImports, Deps []string
	Module                     *struct{ Path string }
}

// below reports whether the package is the parent or lies under it.
func below(importPath, parent string) bool {
	return importPath == parent || strings.HasPrefix(importPath, parent+"/")
}

func belowAny(importPath string, parents []string) bool {
	return slices.ContainsFunc(parents, func(parent string) bool { return below(importPath, parent) })
}

// inContext reports whether the package is a context or part of one.
func inContext(importPath string) bool {
	return slices.ContainsFunc(contexts, func(c string) bool { return below(importPath, modulePath+"/"+c) })
}

// isKit reports whether the package exists for tests, such as order/ordertest.
func isKit(importPath string) bool {
	return below(importPath, modulePath) && (strings.HasSuffix(importPath, "test") || below(importPath, modulePath+"/adapters/storetest"))
}

func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

// bordersCrossed returns one line for each border that a package crosses.
func bordersCrossed(packages []listedPackage) []string {
	var crossed []string
	for _, p := range packages {
		report := func(format string, args ...any) {
			crossed = append(crossed, strings.TrimPrefix(p.ImportPath, modulePath+"/")+" "+fmt.Sprintf(format, args...))
		}
		for _, segment := range append(strings.Split(p.ImportPath, "/"), p.Name) {
			if slices.Contains(emptyNames, segment) {
				report("is named %s, which says nothing", segment)
				break
			}
		}
		for _, imported := range p.Imports {
			switch {
			case belowAny(imported, testLibraries) && p.ImportPath != dbtestPath:
				report("imports %s outside a test", imported)
			case isKit(imported) && !isKit(p.ImportPath):
				report("imports %s, which is for tests", imported)
			case below(imported, dbtestPath):
				report("imports %s, which is for _test.go files", imported)
			case below(imported, modulePath+"/examples") && !below(p.ImportPath, modulePath+"/examples"):
				report("imports the example %s", imported)
			}
		}
		if p.ImportPath != modulePath && !inContext(p.ImportPath) {
			continue
		}
		for _, imported := range p.Imports {
			if why := refusedInContext(p.ImportPath, imported); why != "" {
				report("imports %s: %s", imported, why)
			}
		}
		for _, imported := range p.TestImports {
			if below(imported, modulePath) && !mayKnow(p.ImportPath, imported) && !isKit(imported) {
				report("imports %s in a test of its own package: use package %s_test", imported, p.Name)
			}
		}
		for _, foreign := range foreignToContexts {
			reaches := func(dep string) bool {
				// Values that a database can store implement database/sql/driver, which brings no database.
				return below(dep, foreign) && dep != "database/sql/driver"
			}
			if slices.ContainsFunc(p.Deps, reaches) && !slices.ContainsFunc(p.Imports, reaches) {
				report("reaches %s through another package", foreign)
			}
		}
	}
	return crossed
}

// refusedInContext says why a package of a context, or the root package, may not import
// another; it is empty if it may.
func refusedInContext(importPath, imported string) string {
	switch {
	case imported == "testing" || strings.HasPrefix(imported, "testing/"):
		if isKit(importPath) {
			return ""
		}
		return "only the kits know about tests"
	case belowAny(imported, foreignToContexts):
		return "that belongs into an adapter"
	case below(imported, modulePath):
		if mayKnow(importPath, imported) {
			return ""
		}
		return "a context knows the root package and the packages that it is nested in"
	case isStandard(imported) || belowAny(imported, contextLibraries):
		return ""
	case belowAny(imported, testLibraries):
		return "" // reported for every package, not only here
	}
	return "not among the libraries that contexts may use"
}

// mayKnow reports whether one package of ours may import another: the root, or one that it is
// nested in.
func mayKnow(importPath, imported string) bool {
	return importPath != imported && (imported == modulePath || below(importPath, imported))
}

func TestImportBorders(t *testing.T) {
	t.Parallel()
	packages := goList(t, "./...")
	if len(packages) == 0 {
		t.Fatal("go list found no package")
	}
	for _, line := range bordersCrossed(packages) {
		t.Error(line)
	}
}

// TestImportBordersAreGuarded breaks each rule once and sees it reported.
func TestImportBordersAreGuarded(t *testing.T) {
	t.Parallel()
	const root = modulePath
	for _, c := range []struct {
		name string
		pkg  listedPackage
		want string // "" if it is allowed
	}{
		{"a context may use the root", listedPackage{ImportPath: root + "/order", Imports: []string{root, "time", "github.com/looplab/fsm"}, Deps: []string{"database/sql/driver"}}, ""},
		{"a nested package may use its parent", listedPackage{ImportPath: root + "/order/cart", Imports: []string{root, root + "/order"}}, ""},
		{"a kit may use its context and testing", listedPackage{ImportPath: root + "/order/ordertest", Imports: []string{root, root + "/order", "testing", "testing/synctest"}}, ""},
		{"an adapter may use contexts", listedPackage{ImportPath: root + "/adapters/bunstore", Imports: []string{root, root + "/order", root + "/ledger", "database/sql", "github.com/uptrace/bun"}}, ""},
		{"dbtest may start containers", listedPackage{ImportPath: dbtestPath, Imports: []string{"github.com/testcontainers/testcontainers-go"}}, ""},
		{"a test may use a kit", listedPackage{ImportPath: root + "/order", TestImports: []string{root, root + "/inventory/inventorytest", "pgregory.net/rapid"}}, ""},

		{"context and context", listedPackage{ImportPath: root + "/order", Imports: []string{root + "/inventory"}}, "a context knows"},
		{"context and nested", listedPackage{ImportPath: root + "/order", Imports: []string{root + "/order/cart"}}, "a context knows"},
		{"nested and nested", listedPackage{ImportPath: root + "/order/cart", Imports: []string{root + "/order/promotion"}}, "a context knows"},
		{"kit and context", listedPackage{ImportPath: root + "/order/ordertest", Imports: []string{root + "/payment"}}, "a context knows"},
		{"context and adapter", listedPackage{ImportPath: root + "/ledger", Imports: []string{root + "/adapters/memstore"}}, "belongs into an adapter"},
		{"context and bun", listedPackage{ImportPath: root + "/ledger", Imports: []string{"github.com/uptrace/bun"}}, "belongs into an adapter"},
		{"context and sql", listedPackage{ImportPath: root + "/catalog/search", Imports: []string{"database/sql"}}, "belongs into an adapter"},
		{"context and driver", listedPackage{ImportPath: root + "/catalog", Imports: []string{"database/sql/driver"}}, "belongs into an adapter"},
		{"context and watermill", listedPackage{ImportPath: root + "/loyalty", Imports: []string{"github.com/ThreeDotsLabs/watermill/message"}}, "belongs into an adapter"},
		{"context and http", listedPackage{ImportPath: root + "/payment", Imports: []string{"net/http"}}, "belongs into an adapter"},
		{"context and testing", listedPackage{ImportPath: root + "/community", Imports: []string{"testing"}}, "only the kits"},
		{"context and a new library", listedPackage{ImportPath: root + "/inventory", Imports: []string{"example.com/new"}}, "not among the libraries"},
		{"context and a foreign library", listedPackage{ImportPath: root + "/inventory", Deps: []string{"net/http"}}, "reaches net/http"},
		{"context's own test and an adapter", listedPackage{ImportPath: root + "/order", Name: "order", TestImports: []string{root + "/adapters/memstore"}}, "use package order_test"},
		{"root and context", listedPackage{ImportPath: root, Imports: []string{root + "/order"}}, "a context knows"},
		{"root and adapter", listedPackage{ImportPath: root, Imports: []string{root + "/adapters/memstore"}}, "belongs into an adapter"},
		{"root and http", listedPackage{ImportPath: root, Deps: []string{"net/http"}}, "reaches net/http"},
		{"adapter and example", listedPackage{ImportPath: root + "/adapters/httpapi", Imports: []string{root + "/examples/refserver"}}, "imports the example"},
		{"adapter and kit", listedPackage{ImportPath: root + "/adapters/memstore", Imports: []string{root + "/order/ordertest"}}, "for tests"},
		{"adapter and testify", listedPackage{ImportPath: root + "/adapters/httpapi", Imports: []string{"github.com/stretchr/testify/require"}}, "outside a test"},
		{"kit and testcontainers", listedPackage{ImportPath: root + "/adapters/storetest", Imports: []string{"github.com/testcontainers/testcontainers-go"}}, "outside a test"},
		{"kit and rapid", listedPackage{ImportPath: root + "/order/ordertest", Imports: []string{"pgregory.net/rapid"}}, "outside a test"},
		{"kit and goleak", listedPackage{ImportPath: root + "/adapters/eventbus/transporttest", Imports: []string{"go.uber.org/goleak"}}, "outside a test"},
		{"kit and dbtest", listedPackage{ImportPath: root + "/adapters/storetest", Imports: []string{dbtestPath}}, "for _test.go files"},
		{"a folder named utils", listedPackage{ImportPath: root + "/adapters/utils/text"}, "named utils"},
		{"a package named types", listedPackage{ImportPath: root + "/adapters/t", Name: "types"}, "named types"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			crossed := bordersCrossed([]listedPackage{c.pkg})
			if c.want == "" {
				if len(crossed) > 0 {
					t.Errorf("allowed, yet reported: %q", crossed)
				}
				return
			}
			if len(crossed) != 1 || !strings.Contains(crossed[0], c.want) {
				t.Errorf("got %q, want one line with %q", crossed, c.want)
			}
		})
	}
}

func TestOrderNeedsFewModules(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("order"); err != nil {
		t.Skip("there is no order context yet")
	}
	var modules []string
	for _, p := range goList(t, "-deps", "./order") {
		if p.Module != nil && p.Module.Path != modulePath && !slices.Contains(modules, p.Module.Path) {
			modules = append(modules, p.Module.Path)
		}
	}
	if len(modules) > maxOrderModules {
		t.Errorf("order brings %d modules, more than %d: %s", len(modules), maxOrderModules, strings.Join(modules, ", "))
	}
}

func TestTopLevelFolders(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(topLevel, e.Name()) {
			t.Errorf("folder %s: only contexts, adapters, examples and docs belong on the top level", e.Name())
		}
	}
}

func goList(t *testing.T, args ...string) []listedPackage {
	t.Helper()
	args = append([]string{"list", "-json=ImportPath,Name,Imports,TestImports,Deps,Module"}, args...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, problems.String())
	}
	var packages []listedPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
