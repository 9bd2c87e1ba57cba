package hyperlocal_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

var errShort = hyperlocal.NewError(hyperlocal.CodeExhausted, "inventory/insufficient", "not enough stock")

func TestDecoratedErrorMatchesItsSentinel(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("place: %w", errShort.With("item", "milk").WithCause(io.EOF).WithRetryAfter(time.Second))
	if !errors.Is(err, errShort) || !errors.Is(err, io.EOF) {
		t.Fatal("a decorated copy matches neither its sentinel nor its cause")
	}
	if errShort.Fields != nil || errShort.Cause != nil || errShort.RetryAfter != 0 {
		t.Fatal("decorating changed the sentinel")
	}
	if got := hyperlocal.CodeOf(err); got != hyperlocal.CodeExhausted {
		t.Fatalf("code %q", got)
	}
	if got := hyperlocal.ReasonOf(err); got != "inventory/insufficient" {
		t.Fatalf("reason %q", got)
	}
}

func TestCodeOfForeignErrors(t *testing.T) {
	t.Parallel()
	if hyperlocal.CodeOf(nil) != "" || hyperlocal.IsCode(nil, "") {
		t.Error("nil has a code")
	}
	if hyperlocal.CodeOf(io.EOF) != hyperlocal.CodeInternal {
		t.Error("a foreign error is not internal")
	}
}

func ExampleError() {
	err := errShort.With("item", "milk").With("wanted", 3)
	fmt.Println(err)
	fmt.Println(errors.Is(err, errShort), hyperlocal.CodeOf(err))
	// Output:
	// inventory/insufficient: not enough stock (item=milk, wanted=3)
	// true exhausted
}
