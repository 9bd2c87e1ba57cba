package hyperlocal_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

type shipped struct {
	Order string `json:"order"`
}

func (shipped) EventName() string { return "order.shipped" }
func (shipped) EventVersion() int { return 2 }

func TestEnvelope(t *testing.T) {
	t.Parallel()
	ctx := hyperlocal.ContextWithCause(context.Background(), hyperlocal.Cause{Correlation: "c", Causation: "e0"})
	at := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
	e, err := hyperlocal.NewEnvelope(ctx, hyperlocal.RandomIDs{}, at, "acme", hyperlocal.System("test"),
		hyperlocal.NewRef("order", "1"), 7, 1, shipped{Order: "1"})
	if err != nil {
		t.Fatal(err)
	}
	if e.Topic() != "hc-order" || e.PartitionKey() != "acme:order/1" || e.Correlation != "c" || e.Causation != "e0" {
		t.Fatalf("got %+v", e)
	}
	wire, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back hyperlocal.Envelope
	if err := json.Unmarshal(wire, &back); err != nil {
		t.Fatal(err)
	}
	var got shipped
	if err := back.Decode(&got); err != nil || got.Order != "1" || !back.Time.Equal(hyperlocal.Instant(at)) {
		t.Fatalf("got %+v, %v", back, err)
	}
	back.Payload = json.RawMessage(`{"order":1}`)
	if err := back.Decode(&got); hyperlocal.ReasonOf(err) != "event/undecodable" {
		t.Fatalf("a payload of the wrong shape: %v", err)
	}
}

func TestAfterCommitWithoutTransactionRunsAtOnce(t *testing.T) {
	t.Parallel()
	ran := false
	hyperlocal.AfterCommit(context.Background(), func() { ran = true })
	if !ran || hyperlocal.InTx(context.Background()) {
		t.Fatal("outside a transaction AfterCommit runs at once")
	}
}
