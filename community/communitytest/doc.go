// Package communitytest checks a [community.Store], alone and underneath a
// [community.Service].
//
// An adapter's test hands it a way to make an empty database:
//
//	func TestCommunity(t *testing.T) {
//		communitytest.Run(t, func(t *testing.T) communitytest.Harness {
//			db := memstore.New()
//			return communitytest.Harness{Store: db.Community(), Tx: db, Outbox: db.Outbox(), Pending: db.Outbox().Pending}
//		})
//	}
//
// It uses nothing but testing, the root package and community.
package communitytest
