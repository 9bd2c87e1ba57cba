package community

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Store keeps circles and their members. Writes join the transaction of ctx and fail with
// code internal outside one. Reads outside a transaction see committed data. Something
// missing is left out of a result, never an error.
//
// Whoever changes a circle or its members holds the lock on the circle, so the store needs no
// other lock. It refuses a circle without an owner by itself.
type Store interface {
	// InsertCircle queues a new circle; ErrSlugTaken if the slug is in use.
	InsertCircle(ctx context.Context, circle Circle) error
	// LockCircle locks a circle until the end of the transaction and returns it; false if
	// there is none.
	LockCircle(ctx context.Context, tenant hyperlocal.TenantID, id CircleID) (Circle, bool, error)
	// SaveCircle queues a changed circle. The row must still have Sequence-1, else the
	// transaction fails with ErrStale.
	SaveCircle(ctx context.Context, circle Circle) error
	// DeleteCircle queues the removal of a circle with all its members.
	DeleteCircle(ctx context.Context, tenant hyperlocal.TenantID, id CircleID) error
	// PutMembers queues new and changed members, in one statement.
	PutMembers(ctx context.Context, members ...Member) error
	// DeleteMember queues the removal of every trace of a member.
	DeleteMember(ctx context.Context, tenant hyperlocal.TenantID, circle CircleID, member hyperlocal.Ref) error

	Reader
}

// Reader is the reading part of Store. Each method takes one statement.
type Reader interface {
	// Circles returns the circles with these ids, in any order.
	Circles(ctx context.Context, tenant hyperlocal.TenantID, ids ...CircleID) ([]Circle, error)
	// CircleBySlug returns the circle with this slug; false if there is none.
	CircleBySlug(ctx context.Context, tenant hyperlocal.TenantID, slug string) (Circle, bool, error)
	// ListCircles returns circles that are not secret, by slug.
	ListCircles(ctx context.Context, tenant hyperlocal.TenantID, f CircleFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Circle], error)
	// Members returns those of a circle's members that are named, in any order.
	Members(ctx context.Context, tenant hyperlocal.TenantID, circle CircleID, members ...hyperlocal.Ref) ([]Member, error)
	// ListMembers returns a circle's members by the text of their reference, byte by byte.
	ListMembers(ctx context.Context, tenant hyperlocal.TenantID, circle CircleID, f MemberFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Member], error)
	// ListMemberships returns somebody's relations to circles by circle id.
	ListMemberships(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, f MembershipFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Membership], error)
	// Successor returns the active member other than the given one who is next in line: by
	// role, then the longest active, then by reference; false if there is nobody.
	Successor(ctx context.Context, tenant hyperlocal.TenantID, circle CircleID, except hyperlocal.Ref) (Member, bool, error)
}

// CircleFilter selects circles; the zero value selects all that are not secret.
type CircleFilter struct {
	Visibility Visibility `json:"visibility,omitempty"`
}

// MemberFilter selects members of a circle. A zero Status means Active, a zero Role any.
type MemberFilter struct {
	Status Status `json:"status,omitempty"`
	Role   Role   `json:"role,omitempty"`
}

// MembershipFilter selects circles of somebody. A zero Status means any.
type MembershipFilter struct {
	Status Status `json:"status,omitempty"`
}
