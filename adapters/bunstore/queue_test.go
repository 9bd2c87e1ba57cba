package bunstore

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queuetest"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		queuetest.Run(t, func(t *testing.T) queuetest.Harness {
			s := openStore(t, d)
			return queuetest.Harness{Tx: s, Queue: s.Queue(), Outbox: s.Outbox(), Schedules: s.Schedules()}
		})
	})
}

// The relay looks for an event in the shard that the outbox gave it.
func TestShardsAgree(t *testing.T) {
	t.Parallel()
	if OutboxShards != queue.Shards {
		t.Fatalf("%d shards here, %d there", OutboxShards, queue.Shards)
	}
	for _, key := range []string{"", "shop:order/1", "größe:日本/x"} {
		if OutboxShard(key) != queue.Shard(key) {
			t.Errorf("%q is in shard %d here, %d there", key, OutboxShard(key), queue.Shard(key))
		}
	}
}
