package inventory

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// CommitReserved turns the open reservations of the owners into goods that have left:
// on_hand and reserved fall. Owners without open reservations are ignored, so a repetition
// does nothing. A hold that has run out and was not swept yet is committed like any other.
// It joins the transaction of ctx; at is the effective time, zero for now.
//
// Errors: code invalid for bad input, ErrOutOfRange; ErrContended in a transaction of the
// caller's only.
func (s *Service) CommitReserved(ctx context.Context, at time.Time, actor hyperlocal.Actor, owners ...hyperlocal.TenantRef) error {
	return s.endAll(ctx, MoveCommit, at, actor, "", owners)
}

// ReleaseReserved gives the open reservations of the owners back. Owners without are
// ignored. Errors as for CommitReserved.
func (s *Service) ReleaseReserved(ctx context.Context, at time.Time, actor hyperlocal.Actor, reason string, owners ...hyperlocal.TenantRef) error {
	return s.endAll(ctx, MoveRelease, at, actor, reason, owners)
}

func (s *Service) endAll(ctx context.Context, kind MovementKind, at time.Time, actor hyperlocal.Actor, reason string,
	owners []hyperlocal.TenantRef,
) error {
	if len(owners) == 0 {
		return nil
	}
	if err := checkOwners(owners); err != nil {
		return err
	}
	by, err := s.by(owners[0].Tenant, actor, reason, at)
	if err != nil {
		return err
	}
	return s.run(ctx, func(ctx context.Context) error {
		d, err := s.lock(ctx, nil, owners)
		if err != nil {
			return err
		}
		for _, h := range d.locked {
			if err := d.end(h, by, kind); err != nil {
				return err
			}
		}
		return d.write(ctx)
	})
}
