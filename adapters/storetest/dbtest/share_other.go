//go:build !unix

package dbtest

import "context"

func shareDir() string { return "" }

// share starts a server for this process alone: there are no advisory locks to count users with.
func share(ctx context.Context, _ string, begin func(context.Context) (*server, error)) (string, func(), error) {
	return alone(ctx, begin)
}
