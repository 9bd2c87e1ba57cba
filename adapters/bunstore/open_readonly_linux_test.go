package bunstore

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestReadOnlyDirectory reads where nothing can be made beside the file.
func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	closed, closedFile := left(t, false)
	killed, killedFile := left(t, true)
	for _, dir := range []string{closed, killed} {
		if err := errors.Join(os.Chmod(dir, 0o555), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	}
	if os.Geteuid() == 0 {
		// Root writes everywhere, so this thread looks at files as nobody; it ends with the test.
		runtime.LockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Skipf("SKIPPED: root cannot be kept from writing: %v", err)
		}
		defer func() { _ = syscall.Setfsuid(0) }() // the cleanup runs on this thread, too
		if f, err := os.Create(closed + "/probe"); err == nil {
			_ = f.Close()
			t.Skip("SKIPPED: root cannot be kept from writing")
		}
	}
	if err := look(t, closedFile); err != nil {
		t.Errorf("a database that was closed cannot be read: %v", err)
	}
	if err := look(t, killedFile); err == nil || !strings.Contains(err.Error(), "write-ahead log") {
		t.Errorf("a log that cannot be read: %v", err)
	}
}
