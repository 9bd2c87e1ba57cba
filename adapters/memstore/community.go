package memstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

type circleKey struct {
	tenant hyperlocal.TenantID
	id     community.CircleID
}

type slugKey struct {
	tenant hyperlocal.TenantID
	slug   string
}

type memberKey struct {
	circleKey
	member hyperlocal.Ref
}

type communityTables struct {
	circles *table[circleKey, community.Circle]
	slugs   *table[slugKey, community.CircleID]
	members *table[memberKey, community.Member]
}

func newCommunityTables() *communityTables {
	return &communityTables{
		circles: newTable[circleKey, community.Circle](),
		slugs:   newTable[slugKey, community.CircleID](),
		members: newTable[memberKey, community.Member](),
	}
}

// Community implements [community.Store].
type Community struct {
	db *DB
	t  *communityTables
}

var (
	_ community.Store   = (*Community)(nil)
	_ hyperlocal.Scoped = (*Community)(nil)
)

// Community returns the store of the community context.
func (db *DB) Community() *Community { return &Community{db: db, t: part(db, newCommunityTables)} }

// TxScope implements [hyperlocal.Scoped].
func (c *Community) TxScope() hyperlocal.Scope { return c.db.TxScope() }

var errNoOwner = hyperlocal.NewError(hyperlocal.CodeInternal, "store/check", "a value breaks a rule of the database")

// InsertCircle implements [community.Store].
func (c *Community) InsertCircle(ctx context.Context, circle community.Circle) error {
	t, err := c.db.must(ctx)
	if err != nil {
		return err
	}
	slug := slugKey{circle.Tenant, circle.Slug}
	if _, taken := c.t.slugs.get(slug); taken {
		return community.ErrSlugTaken
	}
	if circle.Owners < 1 || circle.Members < circle.Owners {
		return errNoOwner
	}
	c.t.slugs.put(t, slug, circle.ID)
	circle.CreatedAt, circle.UpdatedAt = hyperlocal.Instant(circle.CreatedAt), hyperlocal.Instant(circle.UpdatedAt)
	c.t.circles.put(t, circleKey{circle.Tenant, circle.ID}, circle)
	return nil
}

// LockCircle implements [community.Store].
func (c *Community) LockCircle(ctx context.Context, tenant hyperlocal.TenantID, id community.CircleID) (community.Circle, bool, error) {
	if _, err := c.db.must(ctx); err != nil {
		return community.Circle{}, false, err
	}
	circle, ok := c.t.circles.get(circleKey{tenant, id})
	return circle, ok, nil
}

// SaveCircle implements [community.Store].
func (c *Community) SaveCircle(ctx context.Context, circle community.Circle) error {
	t, err := c.db.must(ctx)
	if err != nil {
		return err
	}
	key := circleKey{circle.Tenant, circle.ID}
	old, ok := c.t.circles.get(key)
	if !ok || old.Sequence != circle.Sequence-1 {
		return community.ErrStale
	}
	if circle.Owners < 1 || circle.Members < circle.Owners {
		return errNoOwner
	}
	circle.Slug, circle.CreatedAt, circle.UpdatedAt = old.Slug, old.CreatedAt, hyperlocal.Instant(circle.UpdatedAt)
	c.t.circles.put(t, key, circle)
	return nil
}

// DeleteCircle implements [community.Store].
func (c *Community) DeleteCircle(ctx context.Context, tenant hyperlocal.TenantID, id community.CircleID) error {
	t, err := c.db.must(ctx)
	if err != nil {
		return err
	}
	key := circleKey{tenant, id}
	circle, ok := c.t.circles.get(key)
	if !ok {
		return nil
	}
	for member := range c.t.members.all() {
		if member.circleKey == key {
			c.t.members.del(t, member)
		}
	}
	c.t.slugs.del(t, slugKey{tenant, circle.Slug})
	c.t.circles.del(t, key)
	return nil
}

// PutMembers implements [community.Store].
func (c *Community) PutMembers(ctx context.Context, members ...community.Member) error {
	t, err := c.db.must(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		m.Since, m.JoinedAt = hyperlocal.Instant(m.Since), hyperlocal.Instant(m.JoinedAt)
		c.t.members.put(t, memberKey{circleKey{m.Tenant, m.Circle}, m.Member}, m)
	}
	return nil
}

// DeleteMember implements [community.Store].
func (c *Community) DeleteMember(ctx context.Context, tenant hyperlocal.TenantID, circle community.CircleID, member hyperlocal.Ref) error {
	t, err := c.db.must(ctx)
	if err != nil {
		return err
	}
	c.t.members.del(t, memberKey{circleKey{tenant, circle}, member})
	return nil
}

// Circles implements [community.Reader].
func (c *Community) Circles(ctx context.Context, tenant hyperlocal.TenantID, ids ...community.CircleID) ([]community.Circle, error) {
	var out []community.Circle
	err := c.db.read(ctx, func() error {
		for _, id := range distinct(ids) {
			if circle, ok := c.t.circles.get(circleKey{tenant, id}); ok {
				out = append(out, circle)
			}
		}
		return nil
	})
	return out, err
}

// CircleBySlug implements [community.Reader].
func (c *Community) CircleBySlug(ctx context.Context, tenant hyperlocal.TenantID, slug string) (circle community.Circle, ok bool, err error) {
	err = c.db.read(ctx, func() error {
		var id community.CircleID
		if id, ok = c.t.slugs.get(slugKey{tenant, slug}); ok {
			circle, _ = c.t.circles.get(circleKey{tenant, id})
		}
		return nil
	})
	return circle, ok, err
}

// ListCircles implements [community.Reader].
func (c *Community) ListCircles(ctx context.Context, tenant hyperlocal.TenantID, f community.CircleFilter, p hyperlocal.PageRequest) (hyperlocal.Page[community.Circle], error) {
	return listByKey(ctx, c.db, []any{"circles", tenant, f}, p, func() []community.Circle {
		var all []community.Circle
		for key, circle := range c.t.circles.all() {
			if key.tenant == tenant && circle.Visibility != community.Secret && (f.Visibility == "" || circle.Visibility == f.Visibility) {
				all = append(all, circle)
			}
		}
		return all
	}, func(circle *community.Circle) [2]string { return [2]string{circle.Slug, string(circle.ID)} })
}

// Members implements [community.Reader].
func (c *Community) Members(ctx context.Context, tenant hyperlocal.TenantID, circle community.CircleID, members ...hyperlocal.Ref) ([]community.Member, error) {
	var out []community.Member
	err := c.db.read(ctx, func() error {
		for _, ref := range distinct(members) {
			if m, ok := c.t.members.get(memberKey{circleKey{tenant, circle}, ref}); ok {
				out = append(out, m)
			}
		}
		return nil
	})
	return out, err
}

// ListMembers implements [community.Reader].
func (c *Community) ListMembers(ctx context.Context, tenant hyperlocal.TenantID, circle community.CircleID, f community.MemberFilter, p hyperlocal.PageRequest) (hyperlocal.Page[community.Member], error) {
	if f.Status == "" {
		f.Status = community.Active
	}
	return listByKey(ctx, c.db, []any{"members", tenant, circle, f}, p, func() []community.Member {
		var all []community.Member
		for key, m := range c.t.members.all() {
			if key.circleKey == (circleKey{tenant, circle}) && m.Status == f.Status && (f.Role == "" || m.Role == f.Role) {
				all = append(all, m)
			}
		}
		return all
	}, func(m *community.Member) [2]string { return [2]string{m.Member.String(), ""} })
}

// ListMemberships implements [community.Reader].
func (c *Community) ListMemberships(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, f community.MembershipFilter, p hyperlocal.PageRequest) (hyperlocal.Page[community.Membership], error) {
	return listByKey(ctx, c.db, []any{"memberships", tenant, member, f}, p, func() []community.Membership {
		var all []community.Membership
		for key, m := range c.t.members.all() {
			if key.tenant == tenant && key.member == member && (f.Status == "" || m.Status == f.Status) {
				circle, _ := c.t.circles.get(key.circleKey)
				all = append(all, community.Membership{Circle: circle, Member: m})
			}
		}
		return all
	}, func(m *community.Membership) [2]string { return [2]string{string(m.Circle.ID), ""} })
}

// Successor implements [community.Reader].
func (c *Community) Successor(ctx context.Context, tenant hyperlocal.TenantID, circle community.CircleID, except hyperlocal.Ref) (next community.Member, ok bool, err error) {
	err = c.db.read(ctx, func() error {
		var line []community.Member
		for key, m := range c.t.members.all() {
			if key.circleKey == (circleKey{tenant, circle}) && m.Status == community.Active && m.Member != except {
				line = append(line, m)
			}
		}
		if len(line) == 0 {
			return nil
		}
		roles := []community.Role{community.Owner, community.Moderator, community.Plain}
		next, ok = slices.MinFunc(line, func(a, b community.Member) int {
			return cmp.Or(slices.Index(roles, a.Role)-slices.Index(roles, b.Role), a.JoinedAt.Compare(b.JoinedAt),
				strings.Compare(a.Member.String(), b.Member.String()))
		}), true
		return nil
	})
	return next, ok, err
}
