package hyperlocal

import "context"

// TxRunner runs a function inside one database transaction that travels in the context.
//
// WithinTx joins the transaction already in ctx, else it begins one, runs fn, and commits
// if fn returned nil. On a serialization failure or deadlock it runs the whole of fn again,
// at the outermost level only and a bounded number of times. Therefore fn
//   - makes its results afresh in every run,
//   - has no effect outside the transaction: no network call, no message, no channel send,
//   - passes on the ctx it was given and no other.
//
// An error of fn rolls everything back and is returned as it is.
//
// A store also implements the optional [Scoped], so that a service can tell whether the
// parts that it combines commit together.
type TxRunner interface {
	WithinTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Scope identifies a database in which parts commit together. Compared with ==.
type Scope any

// Scoped is implemented by stores and by the services on top of them.
type Scoped interface {
	TxScope() Scope
}

// ScopeOf returns the scope of a part that is [Scoped], and nil for any other.
func ScopeOf(part any) Scope {
	if s, ok := part.(Scoped); ok {
		return s.TxScope()
	}
	return nil
}

// ErrMixedScopes is returned by a constructor whose parts do not share one transaction.
var ErrMixedScopes = NewError(CodeInvalid, "tx/mixed_scopes",
	"these parts live in different databases and cannot commit together; give them one store")

// ErrTxRetry reports a conflict that only the owner of the outermost transaction can
// resolve: roll back and run the whole transaction again.
var ErrTxRetry = NewError(CodeConflict, "tx/retry", "roll back and run the transaction again")

// ErrNetworkInTx is returned by whatever would talk to the network while a transaction is open.
var ErrNetworkInTx = NewError(CodeInternal, "tx/network_inside", "no network call inside a transaction")

// SameScope returns ErrMixedScopes unless all parts that tell their scope tell the same one.
func SameScope(parts ...any) error {
	var first Scope
	for _, p := range parts {
		scope := ScopeOf(p)
		if scope == nil {
			continue
		}
		if first == nil {
			first = scope
		}
		if scope != first {
			return ErrMixedScopes
		}
	}
	return nil
}

type txKey struct{}

// TxState is what a store keeps in the context while its transaction is open. It may also have
// a method Presume(Scope) bool: see [Presume].
type TxState interface {
	// AfterCommit registers fn to run once after the commit. It reports false when the
	// transaction belongs to the host, whose commit the store does not see.
	AfterCommit(fn func()) bool
}

// Presume reports whether the work in ctx may go by what is nearly always so, instead of
// asking first: that a key is new, that a level is as it was. Whoever does so queues a write
// that fails with [ErrTxRetry] if it is not so, or learns of it in another way before the
// commit. Then, and also when the closure fails, whose reasons may rest on what was presumed,
// the transaction is run again from the start, and Presume reports false. It does so in every
// run but the first, in a transaction of the host, outside a transaction, and where the store
// does not support it.
//
// The scope is that of the store that is to make sure of it. Where a transaction of another
// store is open inside, Presume reports false: that one would not run again what fails here.
func Presume(ctx context.Context, scope Scope) bool {
	s, ok := TxFrom(ctx).(interface{ Presume(scope Scope) bool })
	return ok && scope != nil && s.Presume(scope)
}

// ContextWithTx is for stores: it marks ctx as being inside a transaction.
func ContextWithTx(ctx context.Context, s TxState) context.Context {
	return context.WithValue(ctx, txKey{}, s)
}

// TxFrom is for stores: it returns the transaction state in ctx, or nil.
func TxFrom(ctx context.Context) TxState {
	s, _ := ctx.Value(txKey{}).(TxState)
	return s
}

// InTx reports whether ctx is inside a transaction, so that gateways can refuse to talk to
// the network there.
func InTx(ctx context.Context) bool { return TxFrom(ctx) != nil }

// AfterCommit runs fn after the transaction in ctx has committed, or at once when there is
// none. It is for wake-ups only and never for correctness: it does not run after a crash,
// and not in a host's transaction.
func AfterCommit(ctx context.Context, fn func()) {
	s := TxFrom(ctx)
	if s == nil {
		fn()
		return
	}
	s.AfterCommit(fn)
}
