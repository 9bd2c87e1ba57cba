// Package queuetest checks that a store keeps the contract of package queue. A store's test
// calls it with a function that opens an empty database:
//
//	func TestQueue(t *testing.T) {
//		queuetest.Run(t, func(t *testing.T) queuetest.Harness {
//			db := memstore.New()
//			return queuetest.Harness{Tx: db, Queue: db.Queue(), Outbox: db.Outbox(), Schedules: db.Schedules()}
//		})
//	}
//
// It uses package testing alone and is never part of a program.
package queuetest
