package hyperlocal_test

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeSnippets checks that every line of Go in the README stands, in this order, in an
// example that is compiled and run: the first block in the first program, the second in the second.
func TestReadmeSnippets(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```go\n")[1:]
	sources := []string{"examples/embed_minimal/run.go", "examples/host_tx/run.go"}
	if len(blocks) != len(sources) {
		t.Fatalf("the README has %d blocks of Go, the test knows of %d", len(blocks), len(sources))
	}
	for i, block := range blocks {
		source, err := os.ReadFile(sources[i])
		if err != nil {
			t.Fatal(err)
		}
		rest := strings.Split(string(source), "\n")
		snippet, _, _ := strings.Cut(block, "```")
		for line := range strings.Lines(snippet) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " // ")
			if line == "" || strings.HasPrefix(line, "//") {
				continue
			}
			at := 0
			for at < len(rest) && !strings.HasPrefix(strings.TrimSpace(rest[at]), line) {
				at++
			}
			if at == len(rest) {
				t.Errorf("%s does not go on with: %s", sources[i], line)
				break
			}
			rest = rest[at+1:]
		}
	}
}
