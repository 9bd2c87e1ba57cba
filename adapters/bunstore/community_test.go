package bunstore

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/community/communitytest"
)

func TestCommunity(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		communitytest.Run(t, func(t *testing.T) communitytest.Harness {
			s := openStore(t, d)
			return communitytest.Harness{Store: s.Community(), Tx: s, Outbox: s.Outbox(), Pending: s.Outbox().Pending}
		})
	})
}
