package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// KindReversal is the kind of the postings that Reverse writes.
const KindReversal = "reversal"

// ReverseReference returns the reference of the posting that reverses another one: "reverse/"
// and the other's reference or, where that would be longer than MaxReference, "reverse/sha256/"
// and the SHA-256 of the other's reference in hexadecimal. So whatever was posted can be
// reversed, a reversal included, as often as need be.
func ReverseReference(reference string) string {
	if named := "reverse/" + reference; len(named) <= MaxReference {
		return named
	}
	digest := sha256.Sum256([]byte(reference))
	return "reverse/sha256/" + hex.EncodeToString(digest[:])
}

// ReverseCommand asks to take a posting back.
type ReverseCommand struct {
	Tenant    hyperlocal.TenantID
	Reference string // of the posting to reverse
	Actor     hyperlocal.Actor
	At        time.Time // effective time; zero means now
}

// Reverse corrects a posting by one with every amount turned round, which names the first in
// Reverses. It happens at most once: reversing again does nothing and says Replayed. A
// reversal can be reversed in its turn. Joins the transaction of ctx.
//
// Errors: code invalid, ErrNotFound, ErrInsufficient if a bounded account has not enough left.
func (s *Service) Reverse(ctx context.Context, c ReverseCommand) (Result, error) {
	if err := c.Tenant.Validate(); err != nil {
		return Result{}, err
	}
	if err := hyperlocal.CheckText("ledger", "reference", c.Reference, MaxReference); err != nil {
		return Result{}, err
	}
	var result Result
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		// What is posted never changes, so it is read without a lock.
		found, err := s.store.Transactions(ctx, c.Tenant, c.Reference)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			result = Result{Err: ErrNotFound.With("reference", c.Reference)}
			return nil
		}
		p := hyperlocal.Posting{
			Tenant: c.Tenant, Reference: ReverseReference(c.Reference), Kind: KindReversal, Subject: found[0].Subject,
			Effective: c.At, Reverses: c.Reference, Actor: c.Actor, Entries: slices.Clone(found[0].Entries),
		}
		for i := range p.Entries {
			p.Entries[i].Amount = -p.Entries[i].Amount // never math.MinInt64, see validate
		}
		results, err := s.PostMany(ctx, []hyperlocal.Posting{p})
		if err != nil {
			return err
		}
		result = results[0]
		return nil
	})
	if err == nil {
		err = result.Err
	}
	if err != nil {
		return Result{}, err
	}
	return result, nil
}
