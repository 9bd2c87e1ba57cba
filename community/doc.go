// Package community knows who belongs together: circles of people, who is in them, and who
// may decide that.
//
// A [Circle] is open (anyone may join), closed (joining is a request that somebody approves)
// or secret (only who is invited knows of it). A [Member] of it has a [Role] and a [Status].
// A circle has at least one owner at every observable moment: the last one can neither leave
// nor be removed or demoted, however many try at once, because every change of a circle or of
// its members holds the lock on the circle's row. The same lock keeps the member count exact.
//
// # Who may do what
//
// Every command names its actor, who is the member of the same kind and id. Actors of kind
// "admin" and "system" may do everything. Of the others, owners may do everything within
// their circle; moderators approve, invite, remove and ban plain members; everyone may join
// and leave for themselves.
//
// # The smallest program
//
//	db := memstore.New()
//	circles, err := community.New(community.Config{Store: db.Community(), Tx: db, Outbox: db.Outbox()})
//	...
//	garden, err := circles.CreateCircle(ctx, community.CreateCircleCommand{
//		Tenant: "acme", Actor: ann, Name: "Community Garden", Slug: "garden", Visibility: community.Closed,
//	})
//	_, err = circles.Join(ctx, community.MemberCommand{Tenant: "acme", Actor: ben, Circle: garden.ID})
//	_, err = circles.Approve(ctx, community.MemberCommand{Tenant: "acme", Actor: ann, Circle: garden.ID, Member: community.MemberOf(ben)})
//
// # What it never does
//
// It keeps no name and no address of anybody: members are references. It tells nobody that a
// secret circle exists. [Service.Erase] forgets a person altogether.
package community
