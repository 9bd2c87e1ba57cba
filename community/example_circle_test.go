package community_test

import (
	"context"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

// Neighbours run a garden together. Ben asks to join, Ann approves; and Ann cannot leave
// before somebody else is an owner.
func ExampleService_Join() {
	ctx := context.Background()
	db := memstore.New()
	circles, err := community.New(community.Config{Store: db.Community(), Tx: db, Outbox: db.Outbox()})
	if err != nil {
		fmt.Println(err)
		return
	}
	ann, ben := hyperlocal.Actor{Kind: "customer", ID: "ann"}, hyperlocal.Actor{Kind: "customer", ID: "ben"}
	garden, err := circles.CreateCircle(ctx, community.CreateCircleCommand{
		Tenant: "acme", Actor: ann, Name: "Community Garden", Slug: "garden", Visibility: community.Closed,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	asked, err := circles.Join(ctx, community.MemberCommand{Tenant: "acme", Actor: ben, Circle: garden.ID})
	fmt.Println(asked.Status, err)
	joined, err := circles.Approve(ctx, community.MemberCommand{
		Tenant: "acme", Actor: ann, Circle: garden.ID, Member: community.MemberOf(ben),
	})
	fmt.Println(joined.Status, err)

	leave := community.MemberCommand{Tenant: "acme", Actor: ann, Circle: garden.ID}
	_, err = circles.Leave(ctx, leave)
	fmt.Println(hyperlocal.ReasonOf(err))
	_, err = circles.SetRole(ctx, community.SetRoleCommand{
		Tenant: "acme", Actor: ann, Circle: garden.ID, Member: community.MemberOf(ben), Role: community.Owner,
	})
	fmt.Println(err)
	left, err := circles.Leave(ctx, leave)
	fmt.Println(left.Status, err)
	// Output:
	// requested <nil>
	// active <nil>
	// community/last_owner
	// <nil>
	// left <nil>
}
