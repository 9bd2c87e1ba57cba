package bunstore

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Whoever presumes that a key is fresh and refuses, or has a part of its work refused, for
// what follows from that, is run again if the key is not; and nobody else is.
func TestPresume(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	onBoth(t, func(t *testing.T, d Dialect) {
		for name, command := range map[string]func(ctx context.Context, s *Store, claim func(ctx context.Context) (hyperlocal.Claim, error)) (string, error){
			"a closure that refuses": func(ctx context.Context, s *Store, claim func(ctx context.Context) (hyperlocal.Claim, error)) (string, error) {
				var answer string
				err := s.WithinTx(ctx, func(ctx context.Context) error {
					c, err := claim(ctx)
					if err == nil && c.Fresh {
						err = refused
					}
					answer = string(c.Result)
					return err
				})
				return answer, err
			},
			"a closure that commits": func(ctx context.Context, s *Store, claim func(ctx context.Context) (hyperlocal.Claim, error)) (string, error) {
				var answer string
				err := s.WithinTx(ctx, func(ctx context.Context) error {
					c, err := claim(ctx)
					answer = string(c.Result)
					return err
				})
				return answer, err
			},
			"a part that is taken back": func(ctx context.Context, s *Store, claim func(ctx context.Context) (hyperlocal.Claim, error)) (string, error) {
				var answer string
				var refusal error
				err := s.WithinTx(ctx, func(ctx context.Context) error {
					refusal = s.WithinTx(ctx, func(ctx context.Context) error {
						c, err := claim(ctx)
						if err == nil && c.Fresh {
							err = refused
						}
						answer = string(c.Result)
						return err
					})
					return nil
				})
				return answer, errors.Join(err, refusal)
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := openStore(t, d)
				key := hyperlocal.IdempotencyKey{Tenant: "north", Caller: "c", Route: "r", Key: "k", Fingerprint: "f", Result: json.RawMessage(`"before"`)}
				runs := 0
				claim := func(ctx context.Context) (hyperlocal.Claim, error) {
					runs++
					claims, err := hyperlocal.ClaimKeys(ctx, s.Idempotency(), []hyperlocal.IdempotencyKey{key})
					if err != nil {
						return hyperlocal.Claim{}, err
					}
					return claims[0], nil
				}
				answer, err := command(t.Context(), s, claim)
				if name == "a closure that commits" {
					if err != nil || runs != 1 {
						t.Fatalf("a fresh key: %v in %d runs", err, runs)
					}
				} else {
					if !errors.Is(err, refused) || answer != "" {
						t.Fatalf("a fresh key: %q, %v", answer, err)
					}
					if name == "a closure that refuses" && runs != 1 {
						t.Errorf("a rightful refusal took %d runs", runs)
					}
					if err := s.WithinTx(t.Context(), func(ctx context.Context) error {
						claims, err := s.Idempotency().Claim(ctx, []hyperlocal.IdempotencyKey{key})
						if err == nil && !claims[0].Fresh {
							t.Error("a refused command has left its key")
						}
						return err
					}); err != nil {
						t.Fatal(err)
					}
				}
				s.doubts.left.Store(0)
				runs = 0
				if answer, err := command(t.Context(), s, claim); err != nil || answer != `"before"` || runs != 2 {
					t.Errorf("a key that is taken: %s, %v in %d runs", answer, err, runs)
				}
				for n := range doubtful + 1 {
					if err := s.WithinTx(t.Context(), func(ctx context.Context) error {
						if got := hyperlocal.Presume(ctx, s.TxScope()); got != (n == doubtful) {
							t.Errorf("transaction %d after a failure presumes: %v", n+1, got)
						}
						return nil
					}); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
		s := openStore(t, d)
		if hyperlocal.Presume(t.Context(), s.TxScope()) {
			t.Error("presumed outside a transaction")
		}
		host, err := s.pool.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = host.Rollback() }()
		if err := s.WithinTx(s.WithSQLTx(t.Context(), host), func(ctx context.Context) error {
			if hyperlocal.Presume(ctx, s.TxScope()) {
				t.Error("presumed in a host's transaction, which cannot be run again")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}
