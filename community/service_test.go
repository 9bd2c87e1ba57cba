package community_test

import (
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

func TestNewReportsAllThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := community.New(community.Config{})
	for _, part := range []string{"store", "tx", "outbox"} {
		if err == nil || !strings.Contains(err.Error(), "community/invalid_"+part) {
			t.Errorf("%s is missing, and the error is %v", part, err)
		}
	}
	a, b := memstore.New(), memstore.New()
	_, err = community.New(community.Config{Store: a.Community(), Tx: a, Outbox: b.Outbox()})
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) || hyperlocal.ReasonOf(err) != "tx/mixed_scopes" {
		t.Errorf("parts of two databases: %v", err)
	}
	s, err := community.New(community.Config{Store: a.Community(), Tx: a, Outbox: a.Outbox()})
	if err != nil || s.TxScope() != a.TxScope() {
		t.Errorf("parts of one database: %v", err)
	}
}
