package inventory

import (
	"context"
	"encoding/json"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// keyed runs fn under the caller's idempotency key: the first call with the key does the
// work and stores its result, later ones get that result. A refusal frees the key, because
// the claim is undone with everything else. Without a key it just runs fn. request is what
// the fingerprint is made of.
func keyed[T any](ctx context.Context, s *Service, route, key string, by doer, request any,
	fn func(ctx context.Context) (T, error),
) (result T, replayed bool, err error) {
	if key == "" {
		err = s.run(ctx, func(ctx context.Context) error {
			var err error
			result, err = fn(ctx)
			return err
		})
		return result, false, err
	}
	if s.idempotency == nil {
		return result, false, ErrNotConfigured.With("part", "idempotency")
	}
	k := hyperlocal.IdempotencyKey{
		Tenant: by.tenant, Caller: by.actor.Kind + "/" + by.actor.ID, Route: "inventory." + route, Key: key,
	}
	if err := k.Validate(); err != nil {
		return result, false, err
	}
	if k.Fingerprint, err = hyperlocal.Fingerprint(request); err != nil {
		return result, false, err
	}
	keys := []hyperlocal.IdempotencyKey{k}
	err = s.run(ctx, func(ctx context.Context) error {
		var zero T
		result, replayed = zero, false
		claims, err := s.idempotency.Claim(ctx, keys)
		if err != nil {
			return err
		}
		if claims[0].Err != nil {
			return claims[0].Err
		}
		if !claims[0].Fresh {
			replayed = true
			if err := json.Unmarshal(claims[0].Result, &result); err != nil {
				return hyperlocal.NewError(hyperlocal.CodeInternal, "inventory/result_unreadable",
					"the stored result of the command cannot be read").WithCause(err)
			}
			return nil
		}
		done, err := fn(ctx)
		if err != nil {
			return err
		}
		stored, err := json.Marshal(done)
		if err != nil {
			return hyperlocal.NewError(hyperlocal.CodeInternal, "inventory/result_unwritable",
				"the result of the command cannot be stored").WithCause(err)
		}
		result = done
		return s.idempotency.Complete(ctx, keys, []json.RawMessage{stored})
	})
	return result, replayed, err
}
