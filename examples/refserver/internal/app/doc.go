// Package app composes the reference server: it opens a database, builds the services of
// every context on it, joins them by an event bus, and runs the workers and the HTTP edge.
//
// wire.go is the part to read first: it is what a host of its own would write. The package
// holds no business rule.
package app
