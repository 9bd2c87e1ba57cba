package queue

import "context"

// Bell is an optional ability of a [Queue], found by assertion: it carries the word that there
// is work from one process to another. It saves waiting for a poll and nothing depends on it:
// what is not heard is found by the next look.
type Bell interface {
	// Ring tells the processes that listen that events have been committed. It is called
	// outside a transaction, after the commit, and seldom.
	Ring(ctx context.Context) error
	// Listen calls heard for every ring of another process, and whenever it has begun to
	// listen and may have missed one. It returns when ctx ends, or at once where there is
	// nothing to listen to. heard does not block. A connection that breaks is made again;
	// trouble, which may be nil, is told of each failure.
	Listen(ctx context.Context, heard func(), trouble func(error))
}
