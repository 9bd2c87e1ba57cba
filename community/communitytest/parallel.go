package communitytest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

const crowd = 100

// owners makes a circle with that many owners in all, the first of whom is ann.
func (k *kit) owners(t *testing.T, n int) (community.CircleID, []hyperlocal.Actor) {
	t.Helper()
	id := k.found(t, "crowd", community.Open)
	all := []hyperlocal.Actor{ann}
	for i := range n - 1 {
		all = append(all, hyperlocal.Actor{Kind: "customer", ID: fmt.Sprintf("o%03d", i)})
	}
	must(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		for _, a := range all[1:] {
			if _, err := k.Join(ctx, in(id, a)); err != nil {
				return err
			}
			if _, err := k.SetRole(ctx, setRole(id, ann, a, community.Owner)); err != nil {
				return err
			}
		}
		return nil
	}))
	return id, all
}

// atOnce runs do for everybody at once and returns how many succeeded; the others were all
// refused with one of the expected errors.
func atOnce(t *testing.T, n int, do func(i int) error, expected ...error) int {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			continue
		}
		known := false
		for _, e := range expected {
			known = known || errors.Is(err, e)
		}
		if !known {
			t.Errorf("%d: %v", i, err)
		}
	}
	return won
}

func (k *kit) ownersLeave(t *testing.T) {
	id, owners := k.owners(t, crowd)
	won := atOnce(t, len(owners), func(i int) error {
		_, err := k.Leave(k.ctx, in(id, owners[i]))
		return err
	}, community.ErrLastOwner)
	if won != crowd-1 {
		t.Errorf("%d of %d owners left", won, crowd)
	}
	k.counted(t, id, 1, 1)
	if n := strings.Count(k.events(t, id), "member_left"); n != won {
		t.Errorf("%d departures were told of, want %d", n, won)
	}
}

// ownersDemote has everybody demote the next one, which would leave nobody.
func (k *kit) ownersDemote(t *testing.T) {
	id, owners := k.owners(t, crowd)
	won := atOnce(t, len(owners), func(i int) error {
		_, err := k.SetRole(k.ctx, setRole(id, owners[i], owners[(i+1)%crowd], community.Plain))
		return err
	}, community.ErrLastOwner, community.ErrNotAllowed) // who has just been demoted may not demote
	if won == 0 || won > crowd-1 {
		t.Errorf("%d of %d demotions succeeded", won, crowd)
	}
	k.counted(t, id, crowd, int64(crowd-won))
}

func (k *kit) parallelJoin(t *testing.T) {
	id := k.found(t, "crowd", community.Open)
	won := atOnce(t, crowd, func(i int) error { // everybody twice
		_, err := k.Join(k.ctx, in(id, hyperlocal.Actor{Kind: "customer", ID: fmt.Sprint("p", i/2)}))
		return err
	})
	if won != crowd {
		t.Errorf("%d of %d joined", won, crowd)
	}
	k.counted(t, id, crowd/2+1, 1)
	if n := strings.Count(k.events(t, id), "member_joined"); n != crowd/2+1 {
		t.Errorf("%d arrivals were told of, want %d", n, crowd/2+1)
	}
}
