package communitytest

import (
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

func (k *kit) circle(t *testing.T) {
	made, err := k.CreateCircle(k.ctx, community.CreateCircleCommand{
		Tenant: north, Actor: cat, Name: "Gärtner 園丁", Slug: "garden", About: "line one\nline two",
	})
	must(t, err)
	at := k.now.Truncate(time.Microsecond)
	want := community.Circle{
		ID: made.ID, Tenant: north, Name: "Gärtner 園丁", Slug: "garden", About: "line one\nline two", Visibility: community.Open,
		Members: 1, Owners: 1, Version: 1, Sequence: 1, CreatedAt: at, UpdatedAt: at,
	}
	got, err := k.GetCircle(k.ctx, north, hyperlocal.Actor{}, made.ID)
	if err != nil || made != want || got != want {
		t.Errorf("made %+v, read %+v, %v, want %+v", made, got, err, want)
	}
	if got, err = k.GetCircleBySlug(k.ctx, north, ben, "garden"); err != nil || got != want {
		t.Errorf("by slug: %+v, %v", got, err)
	}
	k.stands(t, k.Join, in(made.ID, cat), "active owner")
	owner, err := k.Store.Members(k.ctx, north, made.ID, community.MemberOf(cat))
	must(t, err)
	if !owner[0].Since.Equal(at) || !owner[0].JoinedAt.Equal(at) {
		t.Errorf("the owner is %+v, want since %s", owner[0], at)
	}

	_, err = k.Join(k.ctx, in(made.ID, ben)) // does not concern the version of the settings
	must(t, err)
	k.now = k.now.Add(time.Hour)
	update := community.UpdateCircleCommand{
		Tenant: north, Actor: cat, Circle: made.ID, Version: 1, Name: ptr("Garden"), About: ptr(""), Visibility: ptr(community.Closed),
	}
	want.Name, want.About, want.Visibility, want.Version, want.Sequence, want.Members = "Garden", "", community.Closed, 2, 3, 2
	want.UpdatedAt = k.now.Truncate(time.Microsecond)
	if got, err = k.UpdateCircle(k.ctx, update); err != nil || got != want {
		t.Errorf("updated to %+v, %v, want %+v", got, err, want)
	}
	_, err = k.UpdateCircle(k.ctx, update)
	wantErr(t, err, community.ErrStale)
	update.Version = 2
	k.now = k.now.Add(time.Hour)
	if got, err = k.UpdateCircle(k.ctx, update); err != nil || got != want {
		t.Errorf("the same again makes it %+v, %v", got, err)
	}
	if got, err = k.GetCircle(k.ctx, north, ben, made.ID); err != nil || got != want {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
	if got := k.events(t, made.ID); got != "circle_created@1.0 member_joined@1.1 member_joined@2.0 circle_updated@3.0" {
		t.Errorf("events are %s", got)
	}
}

func (k *kit) circleRefused(t *testing.T) {
	k.found(t, "garden", community.Open)
	good := community.CreateCircleCommand{Tenant: north, Actor: ann, Name: "Circle", Slug: "circle"}
	for _, c := range []struct {
		field string
		spoil func(c *community.CreateCircleCommand)
	}{
		{"name", func(c *community.CreateCircleCommand) { c.Name = "" }},
		{"name", func(c *community.CreateCircleCommand) { c.Name = strings.Repeat("x", community.MaxName+1) }},
		{"slug", func(c *community.CreateCircleCommand) { c.Slug = "Upper" }},
		{"slug", func(c *community.CreateCircleCommand) { c.Slug = "-a" }},
		{"slug", func(c *community.CreateCircleCommand) { c.Slug = "" }},
		{"slug", func(c *community.CreateCircleCommand) { c.Slug = strings.Repeat("x", community.MaxSlug+1) }},
		{"about", func(c *community.CreateCircleCommand) { c.About = "NUL \x00" }},
		{"visibility", func(c *community.CreateCircleCommand) { c.Visibility = "hidden" }},
	} {
		bad := good
		c.spoil(&bad)
		_, err := k.CreateCircle(k.ctx, bad)
		wantInvalid(t, err, c.field)
	}
	taken := good
	taken.Slug = "garden"
	_, err := k.CreateCircle(k.ctx, taken)
	wantErr(t, err, community.ErrSlugTaken)
	foreign := good
	foreign.Owner = community.MemberOf(ben)
	_, err = k.CreateCircle(k.ctx, foreign)
	wantErr(t, err, community.ErrNotAllowed)
	nobody := good
	nobody.Actor = hyperlocal.Actor{}
	_, err = k.CreateCircle(k.ctx, nobody)
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("a circle of nobody: %v", err)
	}
	foreign.Actor = admin
	made, err := k.CreateCircle(k.ctx, foreign)
	must(t, err)
	k.stands(t, k.Join, in(made.ID, ben), "active owner")
	_, err = k.UpdateCircle(k.ctx, community.UpdateCircleCommand{Tenant: north, Actor: ann, Circle: made.ID, Name: ptr("Mine")})
	wantErr(t, err, community.ErrNotAllowed)
	_, err = k.UpdateCircle(k.ctx, community.UpdateCircleCommand{Tenant: north, Actor: ben, Circle: made.ID, Name: ptr(" ")})
	wantInvalid(t, err, "name")
	for _, id := range []community.CircleID{"no id", community.CircleID(hyperlocal.RandomIDs{}.NewID())} {
		_, err = k.GetCircle(k.ctx, north, admin, id)
		wantErr(t, err, community.ErrCircleNotFound)
		_, err = k.Join(k.ctx, in(id, ann))
		wantErr(t, err, community.ErrCircleNotFound)
	}
	page, err := k.ListCircles(k.ctx, north, community.CircleFilter{}, hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("%d circles are there, %v, want 2", len(page.Items), err)
	}
}

func (k *kit) circlesPage(t *testing.T) {
	for _, slug := range []string{"b", "d", "f", "h", "j", "l"} {
		k.found(t, slug, community.Open)
	}
	k.found(t, "e", community.Closed)
	k.found(t, "g", community.Secret)
	read := func(f community.CircleFilter, between func()) string {
		var out []string
		p := hyperlocal.PageRequest{Limit: 2}
		for {
			page, err := k.ListCircles(k.ctx, north, f, p)
			must(t, err)
			for _, c := range page.Items {
				out = append(out, c.Slug)
			}
			between()
			if p.Cursor = page.Next; p.Cursor == "" {
				return strings.Join(out, " ")
			}
		}
	}
	if got := read(community.CircleFilter{Visibility: community.Closed}, func() {}); got != "e" {
		t.Errorf("closed circles are %s", got)
	}
	n := 0
	if got := read(community.CircleFilter{}, func() { n++; k.found(t, "a"+strings.Repeat("a", n), community.Open) }); got != "b d e f h j l" {
		t.Errorf("circles are %s", got)
	}
	page, err := k.ListCircles(k.ctx, north, community.CircleFilter{}, hyperlocal.PageRequest{Limit: 1})
	must(t, err)
	_, err = k.ListCircles(k.ctx, south, community.CircleFilter{}, hyperlocal.PageRequest{Cursor: page.Next})
	wantErr(t, err, hyperlocal.ErrCursor)
	_, err = k.ListCircles(k.ctx, north, community.CircleFilter{Visibility: community.Secret}, hyperlocal.PageRequest{})
	wantInvalid(t, err, "visibility")
	_, err = k.ListCircles(k.ctx, north, community.CircleFilter{}, hyperlocal.PageRequest{Limit: -1})
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("a page of -1: %v", err)
	}
}
