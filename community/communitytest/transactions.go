package communitytest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

func (k *kit) erase(t *testing.T) {
	open, board := k.found(t, "garden", community.Open), k.found(t, "board", community.Closed)
	lodge, other := k.found(t, "lodge", community.Secret), k.found(t, "other", community.Open)
	k.stands(t, k.Join, in(open, ben), "active member")
	k.give(t, open, ann, ben, community.Owner)
	k.stands(t, k.Join, in(board, ben), "requested member")
	k.stands(t, k.Ban, on(lodge, ann, ben), "banned member")
	k.stands(t, k.Join, in(other, cat), "active member")
	n, err := k.Erase(k.ctx, north, community.MemberOf(ben))
	if err != nil || n != 3 {
		t.Errorf("erased from %d circles, %v, want 3", n, err)
	}
	page, err := k.ListMemberships(k.ctx, north, ben, hyperlocal.Ref{}, community.MembershipFilter{}, hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("left of the erased: %+v, %v", page.Items, err)
	}
	k.counted(t, open, 1, 1)
	k.counted(t, board, 1, 1)
	k.counted(t, lodge, 1, 1)
	k.counted(t, other, 2, 1)
	if got := k.events(t, open); !strings.HasSuffix(got, "member_left@4.0") {
		t.Errorf("events are %s", got)
	}
	if got := k.events(t, board); strings.Contains(got, "member_left") {
		t.Errorf("events are %s", got)
	}
	if n, err = k.Erase(k.ctx, north, community.MemberOf(ben)); err != nil || n != 0 {
		t.Errorf("erased again from %d circles, %v", n, err)
	}
	_, err = k.Erase(k.ctx, north, hyperlocal.Ref{})
	wantInvalid(t, err, "subject")
}

func (k *kit) eraseOwner(t *testing.T) {
	id, alone := k.found(t, "garden", community.Open), k.found(t, "alone", community.Open)
	k.stands(t, k.Join, in(id, dan), "active member")
	k.now = k.now.Add(time.Minute)
	k.stands(t, k.Join, in(id, cat), "active member")
	k.now = k.now.Add(time.Minute)
	k.stands(t, k.Join, in(id, ben), "active member")
	k.give(t, id, ann, ben, community.Moderator)
	k.stands(t, k.Ban, on(alone, ann, ben), "banned member")
	if n, err := k.Erase(k.ctx, north, community.MemberOf(ann)); err != nil || n != 2 {
		t.Fatalf("erased from %d circles, %v", n, err)
	}
	k.stands(t, k.Join, in(id, ben), "active owner") // the moderator before those who have been there longer
	k.counted(t, id, 3, 1)
	if got := k.events(t, id); !strings.HasSuffix(got, "role_changed@6.0 member_left@6.1") {
		t.Errorf("events are %s", got)
	}
	_, err := k.GetCircle(k.ctx, north, admin, alone)
	wantErr(t, err, community.ErrCircleNotFound)
	if got := k.events(t, alone); !strings.HasSuffix(got, "circle_closed@3.0") {
		t.Errorf("events are %s", got)
	}
	page, err := k.ListMemberships(k.ctx, north, ben, hyperlocal.Ref{}, community.MembershipFilter{}, hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("a circle that is gone keeps its members: %+v, %v", page.Items, err)
	}
	k.found(t, "alone", community.Open) // its slug is free again
	if _, err = k.Erase(k.ctx, north, community.MemberOf(ben)); err != nil {
		t.Fatal(err)
	}
	k.stands(t, k.Join, in(id, dan), "active owner") // the longest there
	k.counted(t, id, 2, 1)
}

func (k *kit) rollback(t *testing.T) {
	id := k.found(t, "garden", community.Open)
	before := k.snapshot(t, id)
	err := k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		_, err := k.Join(ctx, in(id, ben))
		must(t, err)
		_, err = k.SetRole(ctx, setRole(id, ann, ben, community.Owner))
		must(t, err)
		_, err = k.UpdateCircle(ctx, community.UpdateCircleCommand{Tenant: north, Actor: ben, Circle: id, Name: ptr("Mine")})
		must(t, err)
		_, err = k.CreateCircle(ctx, community.CreateCircleCommand{Tenant: north, Actor: ben, Name: "New", Slug: "new"})
		must(t, err)
		_, err = k.Erase(ctx, north, community.MemberOf(ann))
		must(t, err)
		return errKit
	})
	wantErr(t, err, errKit)
	if after := k.snapshot(t, id); after != before {
		t.Errorf("a rollback left %s of %s", after, before)
	}
	_, err = k.GetCircleBySlug(k.ctx, north, admin, "new")
	wantErr(t, err, community.ErrCircleNotFound)
}

func (k *kit) join(t *testing.T) {
	id := k.found(t, "garden", community.Open)
	must(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		_, err := k.Join(ctx, in(id, ben))
		must(t, err)
		_, err = k.SetRole(ctx, setRole(id, ann, ben, community.Owner))
		must(t, err)
		_, err = k.Leave(ctx, in(id, ann))
		must(t, err)
		// A refusal leaves the outer transaction usable.
		_, err = k.Leave(ctx, in(id, ben))
		wantErr(t, err, community.ErrLastOwner)
		c, err := k.GetCircle(ctx, north, ben, id)
		if err != nil || c.Members != 1 {
			t.Errorf("inside its transaction the circle is %+v, %v", c, err)
		}
		return nil
	}))
	k.counted(t, id, 1, 1)
	if got := k.events(t, id); !strings.HasSuffix(got, "member_joined@2.0 role_changed@3.0 member_left@4.0") {
		t.Errorf("events are %s", got)
	}
}

func (k *kit) cancellation(t *testing.T) {
	id := k.found(t, "garden", community.Open)
	before := k.snapshot(t, id)
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	_, err := k.Join(ctx, in(id, ben))
	if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
		t.Errorf("cancelled before it began: %v", err)
	}
	ctx, cancel = context.WithCancel(k.ctx)
	err = k.Tx.WithinTx(ctx, func(ctx context.Context) error {
		_, err := k.Join(ctx, in(id, ben))
		cancel()
		return err
	})
	if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
		t.Errorf("cancelled before the commit: %v", err)
	}
	if after := k.snapshot(t, id); after != before {
		t.Errorf("cancelled commands left %s of %s", after, before)
	}
}

func (k *kit) tenants(t *testing.T) {
	id := k.found(t, "garden", community.Open)
	theirs, err := k.CreateCircle(k.ctx, community.CreateCircleCommand{Tenant: south, Actor: ann, Name: "South", Slug: "garden"})
	must(t, err)
	foreign := in(id, ben)
	foreign.Tenant = south
	_, err = k.Join(k.ctx, foreign)
	wantErr(t, err, community.ErrCircleNotFound)
	_, err = k.GetCircle(k.ctx, south, admin, id)
	wantErr(t, err, community.ErrCircleNotFound)
	got, err := k.GetCircleBySlug(k.ctx, south, ben, "garden")
	if err != nil || got.ID != theirs.ID {
		t.Errorf("by slug: %+v, %v", got, err)
	}
	for tenant, want := range map[hyperlocal.TenantID]community.CircleID{north: id, south: theirs.ID} {
		page, err := k.ListCircles(k.ctx, tenant, community.CircleFilter{}, hyperlocal.PageRequest{})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != want {
			t.Errorf("%s lists %+v, %v", tenant, page.Items, err)
		}
		mine, err := k.ListMemberships(k.ctx, tenant, ann, hyperlocal.Ref{}, community.MembershipFilter{}, hyperlocal.PageRequest{})
		if err != nil || len(mine.Items) != 1 || mine.Items[0].Circle.ID != want {
			t.Errorf("in %s ann is in %+v, %v", tenant, mine.Items, err)
		}
	}
	if n, err := k.Erase(k.ctx, south, community.MemberOf(ann)); err != nil || n != 1 {
		t.Errorf("erased from %d circles, %v", n, err)
	}
	k.counted(t, id, 1, 1)
	_, err = k.ListCircles(k.ctx, "No Tenant", community.CircleFilter{}, hyperlocal.PageRequest{})
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("a bad tenant: %v", err)
	}
}

// storeAlone checks what the service never lets happen.
func (k *kit) storeAlone(t *testing.T) {
	id := k.found(t, "garden", community.Open)
	found, err := k.Store.Circles(k.ctx, north, id)
	must(t, err)
	twin, ownerless := found[0], found[0]
	twin.ID = community.CircleID(hyperlocal.RandomIDs{}.NewID())
	ownerless.Sequence, ownerless.Owners = 2, 0
	before := k.snapshot(t, id)
	for name, c := range map[string]struct {
		do     func(ctx context.Context) error
		reason string
	}{
		"a taken slug":     {func(ctx context.Context) error { return k.Store.InsertCircle(ctx, twin) }, "community/slug_taken"},
		"a stale circle":   {func(ctx context.Context) error { return k.Store.SaveCircle(ctx, found[0]) }, "community/stale"},
		"a circle without": {func(ctx context.Context) error { return k.Store.SaveCircle(ctx, ownerless) }, "store/check"},
	} {
		if err := k.Tx.WithinTx(k.ctx, c.do); hyperlocal.ReasonOf(err) != c.reason {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
		if err := c.do(k.ctx); hyperlocal.ReasonOf(err) != "tx/required" {
			t.Errorf("%s outside a transaction: %v", name, err)
		}
	}
	if _, _, err := k.Store.LockCircle(k.ctx, north, id); hyperlocal.ReasonOf(err) != "tx/required" {
		t.Errorf("a lock outside a transaction: %v", err)
	}
	if after := k.snapshot(t, id); after != before {
		t.Errorf("left %s of %s", after, before)
	}
}
