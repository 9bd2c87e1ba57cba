package communitytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

func (k *kit) openCircle(t *testing.T) {
	id := k.found(t, "garden", community.Open)
	k.stands(t, k.Join, in(id, ben), "active member")
	before := k.snapshot(t, id)
	k.stands(t, k.Join, in(id, ben), "active member")
	k.stands(t, k.Invite, on(id, ann, ben), "active member")
	k.stands(t, k.Approve, on(id, ann, ben), "active member")
	if after := k.snapshot(t, id); after != before {
		t.Errorf("joining again made %s of %s", after, before)
	}
	k.counted(t, id, 2, 1)
	k.stands(t, k.Leave, in(id, ben), "left member")
	before = k.snapshot(t, id)
	k.stands(t, k.Leave, in(id, ben), "left member")
	if after := k.snapshot(t, id); after != before {
		t.Errorf("leaving again made %s of %s", after, before)
	}
	k.counted(t, id, 1, 1)
	k.stands(t, k.Join, in(id, ben), "active member")
	k.stands(t, k.Remove, on(id, ann, ben), "removed member")
	k.stands(t, k.Remove, on(id, ann, ben), "removed member")
	k.stands(t, k.Join, in(id, ben), "active member")
	k.refuses(t, k.Leave, in(id, dan), community.ErrMemberNotFound)
	k.refuses(t, k.Remove, on(id, ann, dan), community.ErrMemberNotFound)
	k.refuses(t, k.Join, on(id, ann, dan), community.ErrNotAllowed)
	k.refuses(t, k.Leave, on(id, ann, ben), community.ErrNotAllowed)
	k.stands(t, k.Join, on(id, admin, dan), "active member")
	k.counted(t, id, 3, 1)
	want := "circle_created@1.0 member_joined@1.1 member_joined@2.0 member_left@3.0 member_joined@4.0 member_left@5.0 " +
		"member_joined@6.0 member_joined@7.0"
	if got := k.events(t, id); got != want {
		t.Errorf("events are %s, want %s", got, want)
	}
	wrong := in(id, ben)
	wrong.Member = hyperlocal.NewRef("customer", "NUL \x00")
	_, err := k.Join(k.ctx, wrong)
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("a bad member: %v", err)
	}
}

func (k *kit) closedCircle(t *testing.T) {
	id := k.found(t, "board", community.Closed)
	k.stands(t, k.Join, in(id, ben), "requested member")
	k.stands(t, k.Join, in(id, ben), "requested member")
	k.stands(t, k.Join, in(id, cat), "requested member")
	k.refuses(t, k.Approve, on(id, ben, ben), community.ErrNotAllowed)
	k.refuses(t, k.Approve, on(id, ann, dan), community.ErrNotRequested)
	k.counted(t, id, 1, 1)
	k.stands(t, k.Approve, on(id, ann, ben), "active member")
	k.stands(t, k.Approve, on(id, ann, ben), "active member")
	k.refuses(t, k.Approve, on(id, ben, cat), community.ErrNotAllowed)
	k.stands(t, k.Invite, on(id, ann, cat), "active member")
	k.stands(t, k.Invite, on(id, ann, dan), "invited member")
	k.stands(t, k.Invite, on(id, ann, dan), "invited member")
	k.stands(t, k.Join, in(id, dan), "active member")
	k.stands(t, k.Leave, in(id, dan), "left member")
	k.stands(t, k.Join, in(id, dan), "requested member")
	k.stands(t, k.Leave, in(id, dan), "left member")
	k.refuses(t, k.Approve, on(id, ann, dan), community.ErrNotRequested)
	k.counted(t, id, 3, 1)

	// Who may see what.
	active, requested := community.MemberFilter{}, community.MemberFilter{Status: community.Requested}
	for _, c := range []struct {
		viewer hyperlocal.Actor
		f      community.MemberFilter
		want   error
	}{
		{hyperlocal.Actor{}, active, community.ErrNotAllowed},
		{dan, active, community.ErrNotAllowed},
		{ben, active, nil},
		{ben, requested, community.ErrNotAllowed},
		{ann, requested, nil},
		{admin, requested, nil},
	} {
		_, err := k.ListMembers(k.ctx, north, c.viewer, id, c.f, hyperlocal.PageRequest{})
		wantErr(t, err, c.want)
	}
	if _, err := k.GetCircle(k.ctx, north, hyperlocal.Actor{}, id); err != nil {
		t.Errorf("a closed circle cannot be seen: %v", err)
	}
	if got := k.events(t, id); strings.Count(got, "member_requested") != 3 || strings.Count(got, "member_left") != 1 ||
		strings.Count(got, "member_invited") != 1 || strings.Count(got, "member_joined") != 4 {
		t.Errorf("events are %s", got)
	}
}

func (k *kit) secretCircle(t *testing.T) {
	id := k.found(t, "lodge", community.Secret)
	hidden := community.ErrCircleNotFound
	k.refuses(t, k.Join, in(id, ben), hidden)
	k.refuses(t, k.Leave, in(id, ben), hidden)
	k.refuses(t, k.Approve, on(id, ben, ben), hidden)
	k.refuses(t, k.Remove, on(id, ben, ann), hidden)
	_, err := k.SetRole(k.ctx, setRole(id, ben, ann, community.Plain))
	wantErr(t, err, hidden)
	for _, viewer := range []hyperlocal.Actor{{}, ben} {
		_, err = k.GetCircle(k.ctx, north, viewer, id)
		wantErr(t, err, hidden)
		_, err = k.GetCircleBySlug(k.ctx, north, viewer, "lodge")
		wantErr(t, err, hidden)
		_, err = k.ListMembers(k.ctx, north, viewer, id, community.MemberFilter{}, hyperlocal.PageRequest{})
		wantErr(t, err, hidden)
	}
	k.stands(t, k.Invite, on(id, ann, ben), "invited member")
	if _, err = k.GetCircle(k.ctx, north, ben, id); err != nil {
		t.Errorf("the invited do not see the circle: %v", err)
	}
	k.stands(t, k.Join, in(id, ben), "active member")
	k.stands(t, k.Leave, in(id, ben), "left member")
	k.refuses(t, k.Join, in(id, ben), hidden)
	_, err = k.GetCircle(k.ctx, north, ben, id)
	wantErr(t, err, hidden)
	if _, err = k.GetCircle(k.ctx, north, admin, id); err != nil {
		t.Errorf("an admin does not see the circle: %v", err)
	}
}

func (k *kit) roles(t *testing.T) {
	id := k.found(t, "garden", community.Open)
	for _, a := range []hyperlocal.Actor{ben, cat, dan} {
		k.stands(t, k.Join, in(id, a), "active member")
	}
	_, err := k.SetRole(k.ctx, setRole(id, ben, ben, community.Owner))
	wantErr(t, err, community.ErrNotAllowed)
	_, err = k.SetRole(k.ctx, setRole(id, ann, ben, "king"))
	wantInvalid(t, err, "role")
	k.give(t, id, ann, ben, community.Moderator)
	k.give(t, id, ann, cat, community.Moderator)
	before := k.snapshot(t, id)
	k.give(t, id, ann, cat, community.Moderator)
	if after := k.snapshot(t, id); after != before {
		t.Errorf("the same role again made %s of %s", after, before)
	}
	_, err = k.SetRole(k.ctx, setRole(id, ben, dan, community.Moderator))
	wantErr(t, err, community.ErrNotAllowed)
	k.refuses(t, k.Remove, on(id, ben, cat), community.ErrNotAllowed) // equals
	k.refuses(t, k.Remove, on(id, ben, ann), community.ErrNotAllowed) // above
	k.refuses(t, k.Ban, on(id, dan, ben), community.ErrNotAllowed)
	k.stands(t, k.Remove, on(id, ben, dan), "removed member")
	_, err = k.SetRole(k.ctx, setRole(id, ann, dan, community.Moderator))
	wantErr(t, err, community.ErrNotActive)
	_, err = k.SetRole(k.ctx, setRole(id, ann, admin, community.Moderator))
	wantErr(t, err, community.ErrMemberNotFound)
	k.give(t, id, ann, ben, community.Owner)
	k.counted(t, id, 3, 2)
	k.stands(t, k.Remove, on(id, ben, ann), "removed member") // owners remove owners
	k.counted(t, id, 2, 1)
	k.stands(t, k.Remove, on(id, ben, cat), "removed member")
	k.stands(t, k.Join, in(id, cat), "active member") // the role is not kept
	k.give(t, id, admin, cat, community.Owner)
	k.give(t, id, cat, ben, community.Plain)
	k.counted(t, id, 2, 1)
}

func (k *kit) bans(t *testing.T) {
	id := k.found(t, "garden", community.Open)
	k.stands(t, k.Join, in(id, ben), "active member")
	k.stands(t, k.Ban, on(id, ann, ben), "banned member")
	k.stands(t, k.Ban, on(id, ann, ben), "banned member")
	k.stands(t, k.Ban, on(id, ann, dan), "banned member") // never was one
	k.counted(t, id, 1, 1)
	for _, a := range []hyperlocal.Actor{ben, dan} {
		k.refuses(t, k.Join, in(id, a), community.ErrBanned)
		k.refuses(t, k.Invite, on(id, ann, a), community.ErrBanned)
		k.refuses(t, k.Approve, on(id, ann, a), community.ErrNotRequested)
	}
	k.stands(t, k.Leave, in(id, ben), "banned member")
	k.refuses(t, k.Unban, on(id, ben, ben), community.ErrNotAllowed)
	k.refuses(t, k.Unban, on(id, ann, cat), community.ErrNotBanned)
	k.stands(t, k.Unban, on(id, ann, ben), "removed member")
	k.stands(t, k.Join, in(id, ben), "active member")
	k.counted(t, id, 2, 1)
	if got := k.events(t, id); strings.Count(got, "member_banned") != 2 || strings.Count(got, "member_left") != 1 {
		t.Errorf("events are %s", got)
	}
}

func (k *kit) lastOwner(t *testing.T) {
	id := k.found(t, "garden", community.Open)
	k.stands(t, k.Join, in(id, ben), "active member")
	k.refuses(t, k.Leave, in(id, ann), community.ErrLastOwner)
	k.refuses(t, k.Remove, on(id, ann, ann), community.ErrLastOwner)
	k.refuses(t, k.Remove, on(id, admin, ann), community.ErrLastOwner)
	k.refuses(t, k.Ban, on(id, admin, ann), community.ErrLastOwner)
	_, err := k.SetRole(k.ctx, setRole(id, ann, ann, community.Moderator))
	wantErr(t, err, community.ErrLastOwner)
	k.counted(t, id, 2, 1)
	k.give(t, id, ann, ben, community.Owner)
	k.stands(t, k.Leave, in(id, ann), "left member")
	k.refuses(t, k.Leave, in(id, ben), community.ErrLastOwner)
	k.stands(t, k.Join, in(id, ann), "active member") // no longer an owner
	k.counted(t, id, 2, 1)
}

func (k *kit) membersPage(t *testing.T) {
	id := k.found(t, "garden", community.Open)
	want := []string{"ann"}
	for i := range 11 {
		name := fmt.Sprintf("c%02d", i)
		k.stands(t, k.Join, in(id, hyperlocal.Actor{Kind: "customer", ID: name}), "active member")
		want = append(want, name)
	}
	k.stands(t, k.Join, in(id, cat), "active member")
	want = append(want, cat.ID)
	k.give(t, id, ann, hyperlocal.Actor{Kind: "customer", ID: "c05"}, community.Moderator)
	read := func(f community.MemberFilter, between func(n int)) []string {
		var out []string
		p := hyperlocal.PageRequest{Limit: 3}
		for n := 0; ; n++ {
			page, err := k.ListMembers(k.ctx, north, ann, id, f, p)
			must(t, err)
			for _, m := range page.Items {
				out = append(out, m.Member.ID)
			}
			between(n)
			if p.Cursor = page.Next; p.Cursor == "" {
				return out
			}
		}
	}
	got := read(community.MemberFilter{}, func(n int) { // who joins before the page's place moves nobody
		k.stands(t, k.Join, in(id, hyperlocal.Actor{Kind: "customer", ID: fmt.Sprintf("a%02d", n)}), "active member")
	})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("members are %v, want %v", got, want)
	}
	if got := read(community.MemberFilter{Role: community.Moderator}, func(int) {}); fmt.Sprint(got) != "[c05]" {
		t.Errorf("moderators are %v", got)
	}
	if got := read(community.MemberFilter{Status: community.Left}, func(int) {}); len(got) != 0 {
		t.Errorf("those who left are %v", got)
	}
	page, err := k.ListMembers(k.ctx, north, ann, id, community.MemberFilter{}, hyperlocal.PageRequest{Limit: 1})
	must(t, err)
	_, err = k.ListMembers(k.ctx, north, ann, id, community.MemberFilter{Role: community.Owner}, hyperlocal.PageRequest{Cursor: page.Next})
	wantErr(t, err, hyperlocal.ErrCursor)
	_, err = k.ListMembers(k.ctx, north, ann, id, community.MemberFilter{Status: "asleep"}, hyperlocal.PageRequest{})
	wantInvalid(t, err, "status")
}

func (k *kit) membershipsPage(t *testing.T) {
	var want []string
	for i := range 7 {
		id := k.found(t, fmt.Sprint("c", i), []community.Visibility{community.Open, community.Secret}[i%2])
		k.stands(t, k.Join, on(id, admin, ben), "active member")
		want = append(want, string(id))
	}
	other := k.found(t, "other", community.Closed)
	k.stands(t, k.Join, in(other, ben), "requested member")
	read := func(f community.MembershipFilter, between func()) []string {
		var out []string
		p := hyperlocal.PageRequest{Limit: 3}
		for {
			page, err := k.ListMemberships(k.ctx, north, ben, hyperlocal.Ref{}, f, p)
			must(t, err)
			for _, m := range page.Items {
				if m.Circle.ID != m.Member.Circle || m.Member.Member != community.MemberOf(ben) || m.Circle.Members < 1 {
					t.Errorf("membership %+v", m)
				}
				out = append(out, string(m.Circle.ID))
			}
			between()
			if p.Cursor = page.Next; p.Cursor == "" {
				return out
			}
		}
	}
	left := false
	got := read(community.MembershipFilter{Status: community.Active}, func() {
		if !left { // the first one ends while the list is read
			left = true
			k.stands(t, k.Leave, in(community.CircleID(want[0]), ben), "left member")
		}
	})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("circles are %v, want %v", got, want)
	}
	if got := read(community.MembershipFilter{}, func() {}); len(got) != 8 {
		t.Errorf("%d relations, want 8", len(got))
	}
	_, err := k.ListMemberships(k.ctx, north, ann, community.MemberOf(ben), community.MembershipFilter{}, hyperlocal.PageRequest{})
	wantErr(t, err, community.ErrNotAllowed)
	page, err := k.ListMemberships(k.ctx, north, admin, community.MemberOf(ben), community.MembershipFilter{}, hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != 8 {
		t.Errorf("an admin sees %d, %v", len(page.Items), err)
	}
}
