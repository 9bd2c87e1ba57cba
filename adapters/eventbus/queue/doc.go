// Package queue holds the ports between the event bus and a store: what a relay needs of the
// outbox and the schedules ([Outgoing], [Leases]), and what consumers need for messages that
// they could not handle ([Parking]). It knows no broker, so that a store can implement the
// ports without depending on one.
//
// memstore and bunstore implement it (db.Queue(), store.Queue()); queuetest checks them. It is
// called by package eventbus and by nothing else, and it holds no state.
package queue
