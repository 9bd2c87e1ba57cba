// Package rediscache is the layer of cached answers that several processes share, in Redis or
// what speaks its language.
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379", MaxRetries: -1})
//	layer, err := rediscache.New(rediscache.Config{Client: client})
//	answers, err := cache.New(cache.Config{Shared: layer, ...})
//
// A read is one round trip. Nothing here has to survive: an evicted answer is computed again,
// and an evicted mark is made anew and equals none that was before, so maxmemory-policy
// allkeys-lfu and no persistence suit it. Read from the primary: a replica may lag behind a
// drop, for as long as it lags.
//
// The keys of a group share a hash tag, so it works on a cluster.
//
// It never keeps an answer for longer than it is told to, and closes no client.
package rediscache
