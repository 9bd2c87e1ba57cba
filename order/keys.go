package order

import (
	"context"
	"encoding/json"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// answer is what is known about one command of a batch. It is copied for every run of the
// transaction.
type answer struct {
	key      hyperlocal.IdempotencyKey
	foreseen Summary // what the key's Result says, if it has one
	twin     int     // index of the earlier command with the same key, or -1
	replayed bool
	summary  Summary
	err      error
}

// done reports whether the command has its answer, or will share another's.
func (a *answer) done() bool { return a.err != nil || a.replayed || a.twin >= 0 }

// given is the answer to give: the twin's, unless there is one of its own.
func given[T any](items []T, i int, of func(*T) *answer) (a *answer, replayed bool) {
	a = of(&items[i])
	if a.twin < 0 || a.err != nil {
		return a, a.replayed
	}
	return of(&items[a.twin]), true
}

// keyOf is an idempotency key of an actor.
func keyOf(tenant hyperlocal.TenantID, actor hyperlocal.Actor, route, key, fingerprint string) hyperlocal.IdempotencyKey {
	return hyperlocal.IdempotencyKey{
		Tenant: tenant, Caller: actor.Kind + "/" + actor.ID, Route: route, Key: key, Fingerprint: fingerprint,
	}
}

// keyName is what is unique about a key.
type keyName struct {
	tenant             hyperlocal.TenantID
	caller, route, key string
}

// shareKeys finds commands with equal keys: the later ones share the first one's answer, if
// they ask for the same.
func shareKeys[T any](items []T, of func(*T) *answer) {
	if len(items) < 2 {
		return
	}
	first := make(map[keyName]int, len(items))
	for i := range items {
		a := of(&items[i])
		if a.err != nil || a.key.IsZero() {
			continue
		}
		name := keyName{a.key.Tenant, a.key.Caller, a.key.Route, a.key.Key}
		at, ok := first[name]
		switch {
		case !ok:
			first[name] = i
		case of(&items[at]).key.Fingerprint != a.key.Fingerprint:
			a.err = hyperlocal.ErrKeyReused
		default:
			a.twin = at
		}
	}
}

// claimKeys takes the keys of open commands, answers the repeated ones, and returns those
// whose key is ours.
func claimKeys[T any](ctx context.Context, s *Service, items []T, of func(*T) *answer) ([]*answer, error) {
	asked := make([]*answer, 0, len(items))
	keys := make([]hyperlocal.IdempotencyKey, 0, len(items))
	for i := range items {
		if a := of(&items[i]); !a.done() && !a.key.IsZero() {
			asked = append(asked, a)
			keys = append(keys, a.key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	claims, err := hyperlocal.ClaimKeys(ctx, s.config.Idempotency, keys)
	if err != nil {
		return nil, err
	}
	mine := asked[:0]
	for k, a := range asked {
		switch claim := claims[k]; {
		case claim.Err != nil:
			a.err = claim.Err
		case claim.Fresh:
			mine = append(mine, a)
		default:
			a.replayed = true
			a.err = decode(claim.Result, &a.summary)
		}
	}
	return mine, nil
}

// settleKeys stores the answers of the keys that were claimed, unless they were foreseen, and
// frees the keys of refusals.
func (s *Service) settleKeys(ctx context.Context, mine []*answer) error {
	var complete, free []hyperlocal.IdempotencyKey
	var results []json.RawMessage
	for _, a := range mine {
		if a.err != nil {
			free = append(free, a.key)
			continue
		}
		if a.key.Result != nil && a.summary == a.foreseen {
			continue // it was stored with the claim
		}
		raw, err := json.Marshal(a.summary)
		if err != nil {
			return err
		}
		complete = append(complete, a.key)
		results = append(results, raw)
	}
	if len(complete) > 0 {
		if err := s.config.Idempotency.Complete(ctx, complete, results); err != nil {
			return err
		}
	}
	if len(free) == 0 {
		return nil
	}
	return s.config.Idempotency.Free(ctx, free)
}

// remember stores the result of one command, if it has a key.
func (s *Service) remember(ctx context.Context, key hyperlocal.IdempotencyKey, result any) error {
	if key.IsZero() {
		return nil
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return s.config.Idempotency.Complete(ctx, []hyperlocal.IdempotencyKey{key}, []json.RawMessage{raw})
}

// decode reads a stored result.
func decode(raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return hyperlocal.NewError(hyperlocal.CodeInternal, "order/stored_result", "a stored result cannot be read").WithCause(err)
	}
	return nil
}
