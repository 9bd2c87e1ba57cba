package community

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// The events. They tell references and numbers, never names.
type (
	// CircleCreated: a circle exists, with its first owner.
	CircleCreated struct{ CircleChanged }
	// CircleUpdated: name, about or visibility changed.
	CircleUpdated struct{ CircleChanged }
	// CircleClosed: the circle is gone, because nobody was left in it.
	CircleClosed struct{ CircleChanged }
	// MemberInvited: somebody may join.
	MemberInvited struct{ MemberChanged }
	// MemberRequested: somebody wants to join, and has to be approved.
	MemberRequested struct{ MemberChanged }
	// MemberJoined: somebody is an active member.
	MemberJoined struct{ MemberChanged }
	// MemberLeft: an active member is none any more. Status says how: left, removed, banned.
	MemberLeft struct{ MemberChanged }
	// MemberBanned: somebody cannot join any more.
	MemberBanned struct{ MemberChanged }
	// RoleChanged: an active member has another role.
	RoleChanged struct {
		MemberChanged
		Was Role `json:"was"`
	}
)

// CircleChanged is what every event of a circle tells.
type CircleChanged struct {
	Circle     CircleID   `json:"circle"`
	Visibility Visibility `json:"visibility"`
	Members    int64      `json:"members"`
	Version    int64      `json:"version"`
	At         time.Time  `json:"at"`
}

// MemberChanged is what every event of a member tells.
type MemberChanged struct {
	Circle  CircleID       `json:"circle"`
	Member  hyperlocal.Ref `json:"member"`
	Role    Role           `json:"role"`
	Status  Status         `json:"status"`
	Members int64          `json:"members"` // of the circle, after the change
	At      time.Time      `json:"at"`
}

// Event names, "<context>.<past participle>"; every version is 1.
func (CircleCreated) EventName() string   { return "community.circle_created" }
func (CircleUpdated) EventName() string   { return "community.circle_updated" }
func (CircleClosed) EventName() string    { return "community.circle_closed" }
func (MemberInvited) EventName() string   { return "community.member_invited" }
func (MemberRequested) EventName() string { return "community.member_requested" }
func (MemberJoined) EventName() string    { return "community.member_joined" }
func (MemberLeft) EventName() string      { return "community.member_left" }
func (MemberBanned) EventName() string    { return "community.member_banned" }
func (RoleChanged) EventName() string     { return "community.role_changed" }

// EventVersion of every event of a circle.
func (CircleChanged) EventVersion() int { return 1 }

// EventVersion of every event of a member.
func (MemberChanged) EventVersion() int { return 1 }

// Events lists one value of every event of this context, for catalogues and decoders.
func Events() []hyperlocal.Event {
	return []hyperlocal.Event{
		CircleCreated{}, CircleUpdated{}, CircleClosed{}, MemberInvited{}, MemberRequested{}, MemberJoined{},
		MemberLeft{}, MemberBanned{}, RoleChanged{},
	}
}

func circleChanged(c Circle) CircleChanged {
	return CircleChanged{Circle: c.ID, Visibility: c.Visibility, Members: c.Members, Version: c.Version, At: c.UpdatedAt}
}

func memberChanged(c Circle, m Member) MemberChanged {
	return MemberChanged{Circle: c.ID, Member: m.Member, Role: m.Role, Status: m.Status, Members: c.Members, At: c.UpdatedAt}
}
