package goroutine_test

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/internal/goroutine"
)

func TestID(t *testing.T) {
	t.Parallel()
	mine := goroutine.ID()
	if mine == 0 || mine != goroutine.ID() {
		t.Fatalf("the id of this goroutine is %d and then %d", mine, goroutine.ID())
	}
	other := make(chan uint64)
	go func() { other <- goroutine.ID() }()
	if got := <-other; got == 0 || got == mine {
		t.Fatalf("another goroutine has id %d, this one %d", got, mine)
	}
}

func BenchmarkID(b *testing.B) {
	for b.Loop() {
		goroutine.ID()
	}
}
