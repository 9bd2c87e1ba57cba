package community

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Role is what a member may do.
type Role string

// The roles.
const (
	Owner     Role = "owner"
	Moderator Role = "moderator"
	Plain     Role = "member"
)

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool { return r.level() > 0 }

// level orders the roles; 0 for none.
func (r Role) level() int {
	switch r {
	case Owner:
		return 3
	case Moderator:
		return 2
	case Plain:
		return 1
	default:
		return 0
	}
}

// Status is where somebody stands with a circle.
type Status string

// The statuses.
const (
	Invited   Status = "invited"
	Requested Status = "requested"
	Active    Status = "active"
	Left      Status = "left"
	Removed   Status = "removed"
	Banned    Status = "banned"
)

// Valid reports whether s is one of the statuses.
func (s Status) Valid() bool {
	switch s {
	case Invited, Requested, Active, Left, Removed, Banned:
		return true
	default:
		return false
	}
}

// Member is somebody's relation to a circle. Whoever is not active has the role Plain.
type Member struct {
	Tenant   hyperlocal.TenantID `json:"tenant"`
	Circle   CircleID            `json:"circle"`
	Member   hyperlocal.Ref      `json:"member"`
	Role     Role                `json:"role"`
	Status   Status              `json:"status"`
	Since    time.Time           `json:"since"`              // of the status
	JoinedAt time.Time           `json:"joined_at,omitzero"` // when they last became active
}

// active returns the role of an active member, else no role.
func (m Member) active() Role {
	if m.Status == Active {
		return m.Role
	}
	return ""
}

// Membership is a member together with the circle.
type Membership struct {
	Circle Circle `json:"circle"`
	Member Member `json:"member"`
}

// MemberOf returns the reference under which an actor is a member.
func MemberOf(a hyperlocal.Actor) hyperlocal.Ref { return hyperlocal.NewRef(a.Kind, a.ID) }

// Actors who may do everything.
const (
	actorAdmin  = "admin"
	actorSystem = "system"
)

func isStaff(a hyperlocal.Actor) bool { return a.Kind == actorAdmin || a.Kind == actorSystem }
