package memstore_test

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queuetest"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(*testing.T) queuetest.Harness {
		db := memstore.New()
		return queuetest.Harness{Tx: db, Queue: db.Queue(), Outbox: db.Outbox(), Schedules: db.Schedules()}
	})
}
