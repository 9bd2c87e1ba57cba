package communitytest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

// Harness is an empty database. All parts share transactions.
type Harness struct {
	Store  community.Store
	Tx     hyperlocal.TxRunner
	Outbox hyperlocal.Outbox
	// Pending lists up to limit unpublished events, by tenant, aggregate and place.
	Pending func(ctx context.Context, limit int) ([]hyperlocal.Envelope, error)
}

// Run checks the store. newHarness returns a fresh database at every call.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(k *kit, t *testing.T)
	}{
		{"circle", (*kit).circle},
		{"circle refused", (*kit).circleRefused},
		{"open circle", (*kit).openCircle},
		{"closed circle", (*kit).closedCircle},
		{"secret circle", (*kit).secretCircle},
		{"roles", (*kit).roles},
		{"bans", (*kit).bans},
		{"last owner", (*kit).lastOwner},
		{"hundred owners leave at once", (*kit).ownersLeave},
		{"hundred owners demote each other", (*kit).ownersDemote},
		{"hundred join at once", (*kit).parallelJoin},
		{"members page", (*kit).membersPage},
		{"circles page", (*kit).circlesPage},
		{"memberships page", (*kit).membershipsPage},
		{"erase", (*kit).erase},
		{"erase of the last owner", (*kit).eraseOwner},
		{"rollback", (*kit).rollback},
		{"join a transaction", (*kit).join},
		{"cancellation", (*kit).cancellation},
		{"tenants", (*kit).tenants},
		{"store alone", (*kit).storeAlone},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			h := newHarness(t)
			k := &kit{Harness: h, ctx: ctx, now: time.Date(2026, 11, 20, 8, 15, 30, 123456789, time.UTC)}
			var err error
			k.Service, err = community.New(community.Config{
				Store: h.Store, Tx: h.Tx, Outbox: h.Outbox, Clock: hyperlocal.ClockFunc(func() time.Time { return k.now }),
			})
			must(t, err)
			c.run(k, t)
		})
	}
}

type kit struct {
	Harness
	*community.Service
	ctx context.Context //nolint:containedctx // one test's context, kept for its helper methods
	now time.Time
}

const north, south = hyperlocal.TenantID("north"), hyperlocal.TenantID("south")

var (
	errKit = errors.New("the closure failed")
	ann    = hyperlocal.Actor{Kind: "customer", ID: "ann"}
	ben    = hyperlocal.Actor{Kind: "customer", ID: "ben"}
	cat    = hyperlocal.Actor{Kind: "customer", ID: "猫"}
	dan    = hyperlocal.Actor{Kind: "customer", ID: "dan"}
	admin  = hyperlocal.Actor{Kind: "admin", ID: "root"}
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func wantInvalid(t *testing.T, err error, field string) {
	t.Helper()
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) || hyperlocal.ReasonOf(err) != "community/invalid_"+field {
		t.Errorf("got error %v, want community/invalid_%s", err, field)
	}
}

// found makes a circle whose owner is ann.
func (k *kit) found(t *testing.T, slug string, v community.Visibility) community.CircleID {
	t.Helper()
	c, err := k.CreateCircle(k.ctx, community.CreateCircleCommand{
		Tenant: north, Actor: ann, Name: "Circle " + slug, Slug: slug, Visibility: v,
	})
	must(t, err)
	return c.ID
}

func in(circle community.CircleID, actor hyperlocal.Actor) community.MemberCommand {
	return community.MemberCommand{Tenant: north, Actor: actor, Circle: circle}
}

func on(circle community.CircleID, actor, member hyperlocal.Actor) community.MemberCommand {
	c := in(circle, actor)
	c.Member = community.MemberOf(member)
	return c
}

type memberFunc func(ctx context.Context, c community.MemberCommand) (community.Member, error)

// stands runs a command and checks the member's standing after it, "active owner".
func (k *kit) stands(t *testing.T, do memberFunc, c community.MemberCommand, want string) {
	t.Helper()
	m, err := do(k.ctx, c)
	if got := string(m.Status) + " " + string(m.Role); err != nil || got != want {
		t.Errorf("stands as %s, %v, want %s", got, err, want)
	}
	subject := c.Member
	if subject.IsZero() {
		subject = community.MemberOf(c.Actor)
	}
	stored, err := k.Store.Members(k.ctx, c.Tenant, c.Circle, subject)
	must(t, err)
	if len(stored) != 1 || stored[0] != m {
		t.Errorf("stored %+v, told %+v", stored, m)
	}
}

// refuses runs a command that must fail and change nothing.
func (k *kit) refuses(t *testing.T, do memberFunc, c community.MemberCommand, want error) {
	t.Helper()
	before := k.snapshot(t, c.Circle)
	_, err := do(k.ctx, c)
	wantErr(t, err, want)
	if after := k.snapshot(t, c.Circle); after != before {
		t.Errorf("a refused command changed %s to %s", before, after)
	}
}

func (k *kit) give(t *testing.T, circle community.CircleID, by, to hyperlocal.Actor, role community.Role) {
	t.Helper()
	_, err := k.SetRole(k.ctx, setRole(circle, by, to, role))
	must(t, err)
}

func setRole(circle community.CircleID, by, to hyperlocal.Actor, role community.Role) community.SetRoleCommand {
	return community.SetRoleCommand{Tenant: north, Actor: by, Circle: circle, Member: community.MemberOf(to), Role: role}
}

// snapshot describes a circle, its members of all statuses, and how many events it has.
func (k *kit) snapshot(t *testing.T, id community.CircleID) string {
	t.Helper()
	circles, err := k.Store.Circles(k.ctx, north, id)
	must(t, err)
	var out []string
	for _, c := range circles {
		out = append(out, "members="+strconv.FormatInt(c.Members, 10)+" owners="+strconv.FormatInt(c.Owners, 10)+
			" version="+strconv.FormatInt(c.Version, 10)+" sequence="+strconv.FormatInt(c.Sequence, 10))
	}
	for _, status := range []community.Status{
		community.Invited, community.Requested, community.Active, community.Left, community.Removed, community.Banned,
	} {
		page, err := k.Store.ListMembers(k.ctx, north, id, community.MemberFilter{Status: status}, hyperlocal.PageRequest{Limit: 200})
		must(t, err)
		for _, m := range page.Items {
			out = append(out, m.Member.ID+":"+string(m.Status)+":"+string(m.Role))
		}
	}
	return strings.Join(append(out, k.events(t, id)), " ")
}

// events returns "name@sequence.n" of the unpublished events of a circle.
func (k *kit) events(t *testing.T, id community.CircleID) string {
	t.Helper()
	all, err := k.Pending(k.ctx, 10_000)
	must(t, err)
	var out []string
	for _, e := range all {
		if e.Aggregate == id.Ref() {
			out = append(out, strings.TrimPrefix(e.Name, "community.")+"@"+
				strconv.FormatInt(e.AggregateVersion, 10)+"."+strconv.Itoa(e.N))
		}
	}
	return strings.Join(out, " ")
}

// counted checks that the circle's counts agree with its members.
func (k *kit) counted(t *testing.T, id community.CircleID, members, owners int64) {
	t.Helper()
	c, err := k.GetCircle(k.ctx, north, admin, id)
	must(t, err)
	var active, owning int64
	p := hyperlocal.PageRequest{Limit: 7}
	for {
		page, err := k.ListMembers(k.ctx, north, admin, id, community.MemberFilter{}, p)
		must(t, err)
		active += int64(len(page.Items))
		owning += int64(len(slices.DeleteFunc(page.Items, func(m community.Member) bool { return m.Role != community.Owner })))
		if p.Cursor = page.Next; p.Cursor == "" {
			break
		}
	}
	if c.Members != members || c.Owners != owners || active != members || owning != owners {
		t.Errorf("counted %d members, %d owners; there are %d, %d; want %d, %d", c.Members, c.Owners, active, owning, members, owners)
	}
}

func ptr[T any](v T) *T { return &v }
