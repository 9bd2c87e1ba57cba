package failpoint_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/failpoint"
)

func TestNothingHappensWithoutTheTag(t *testing.T) {
	t.Setenv("FAILPOINT", "here:kill")
	if err := failpoint.Hit(t.Context(), "here"); err != nil || failpoint.Enabled || failpoint.Hits("here") != 0 {
		t.Errorf("got %v, enabled: %v, %d hits", err, failpoint.Enabled, failpoint.Hits("here"))
	}
}

func TestTagged(t *testing.T) {
	t.Parallel()
	gotool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("SKIPPED, so failpoints are not tested: there is no go command to build the tagged binary with")
	}
	bin := filepath.Join(t.TempDir(), "hit")
	if out, err := exec.CommandContext(t.Context(), gotool, "build", "-tags", "failpoints", "-o", bin, "./testdata/hit").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for env, want := range map[string]string{
		"":                         "1 <nil>\n2 <nil>\n3 <nil>\n",
		"there:kill":               "1 <nil>\n2 <nil>\n3 <nil>\n",
		"here:kill":                "signal: killed",
		"there:error, here:kill@3": "1 <nil>\n2 <nil>\nsignal: killed",
		"here:error@2":             "1 <nil>\n2 failpoint/injected: " + failpoint.ErrInjected.Message + " (failpoint=here)\n3 <nil>\n",
		"here:delay@3":             "1 <nil>\n2 <nil>\n3 context deadline exceeded\n",
		"here":                     "cannot read FAILPOINT entry",
		"here:explode":             "cannot read FAILPOINT entry",
		"here:kill@0":              "cannot read FAILPOINT entry",
	} {
		log := filepath.Join(t.TempDir(), "log")
		cmd := exec.CommandContext(t.Context(), bin)
		cmd.Env = append(os.Environ(), "FAILPOINT="+env, "FAILPOINT_LOG="+log)
		out, err := cmd.CombinedOutput()
		got := string(out)
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && !exit.Exited() {
			got += err.Error()
		}
		if strings.HasPrefix(want, "cannot") {
			if err == nil || !strings.Contains(got, want) {
				t.Errorf("%q: %q", env, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", env, got, want)
		}
		if hits, err := os.ReadFile(log); err != nil || !strings.HasPrefix(string(hits), "here\n") {
			t.Errorf("%q: the log is %q, %v", env, hits, err)
		}
	}
}
