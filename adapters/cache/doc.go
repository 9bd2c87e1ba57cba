// Package cache keeps answers that many ask for and few change: the catalogue, shops, what is
// available. It has one layer in this process and, if the host wants it, a second one that
// several processes share (package rediscache).
//
//	answers, err := cache.New(cache.Config{Affected: httpapi.Affected})
//	...
//	shops, err := catalog.New(catalog.Config{Outbox: answers.Outbox(outbox), ...}) // own changes show at once
//	handler, err := httpapi.New(httpapi.Config{Cache: answers, ...})
//	err = eventbus.Listen(ctx, subscriber, cache.Topics(events...), answers.Drop)// the others' changes by event
//
// An answer is the bytes that a caller computes, kept under a tenant, the thing it is about
// and a name. The tenant is part of every key, so no tenant meets another's answers.
//
// # How old an answer can be
//
// A change drops every answer about the things it touched, lists included: what the process
// itself commits at once, through [Cache.Outbox]; what others commit when their event comes
// in, normally within some milliseconds. A load that began before the drop is answered and
// not kept, so what a caller asks for after a drop was read after it.
//
// Nobody relies on events coming in. Without them an answer is at most Config.TTL (5 s) old,
// counted from the moment at which its load began, and with a shared layer at most
// Config.SharedTTL + Config.TTL (35 s), because a process may copy what the shared layer has
// had for a while. That something was not found is believed for Config.NegativeTTL (1 s) and
// never shared. Config.TTLs shortens all that for answers about things of one kind.
//
// A load takes up to Config.LoadTimeout, however short the patience of the caller who happened
// to be first; it goes on when that caller leaves, because others wait for it.
//
// # Several processes
//
// Every process needs every drop. A consumer group delivers an event to one of its members,
// so give each process a subscription of its own, see [eventbus.Listen]; [Cache.Handle] is for
// a bus of one process alone. Each process also renews the shared layer's mark of what was
// dropped, and does so before it drops its own copy: nobody refills from what is out of date.
//
// The shared layer is an extra. When it fails, answers are computed as if there were none and
// no caller sees an error; it is asked again a second later. If a drop could not be told to it,
// this process leaves it alone until everything that it held by then has expired.
//
// # Bounds
//
// The process keeps at most Config.MaxBytes and Config.MaxEntries, the most used ones first.
// An answer of more than an eighth of MaxBytes is not kept. The marks that say what was
// dropped are a fixed 32 KiB; two things that share one are dropped together, which costs a
// load and never freshness.
//
// # What it never does
//
// It caches nothing inside a transaction, whose reads have to see its own writes; no failure
// but "not found"; nothing that belongs to one caller, unless the caller is part of the name.
//
// [eventbus.Listen]: https://pkg.go.dev/github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus#Listen
package cache
