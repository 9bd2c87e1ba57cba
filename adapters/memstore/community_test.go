package memstore_test

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/community/communitytest"
)

func TestCommunity(t *testing.T) {
	t.Parallel()
	communitytest.Run(t, func(*testing.T) communitytest.Harness {
		db := memstore.New(memstore.WithRankCheck())
		return communitytest.Harness{Store: db.Community(), Tx: db, Outbox: db.Outbox(), Pending: db.Outbox().Pending}
	})
}
