package payment_test

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// router sends every payment to one gateway and notes what it was asked.
type router struct {
	to    string
	asked []payment.RouteRequest
}

func (r *router) Route(q payment.RouteRequest) payment.RouteDecision {
	r.asked = append(r.asked, q)
	return payment.RouteDecision{Gateway: r.to}
}

func TestRouter(t *testing.T) {
	t.Parallel()
	var gateways []payment.Gateway
	for _, name := range []string{"first", "second", "third"} {
		g, err := sandbox.New(sandbox.Config{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		gateways = append(gateways, g)
	}
	for name, c := range map[string]struct {
		to, named, want string
		asked           int
		reason          string
	}{
		"the router's choice":     {to: "second", want: "second", asked: 1},
		"it leaves it open":       {to: "", want: "third", asked: 1},
		"the command has its own": {to: "second", named: "first", want: "first"},
		"nobody knows it":         {to: "nowhere", asked: 1, reason: payment.ErrUnknownGateway.Reason},
	} {
		db := memstore.New()
		r := &router{to: c.to}
		s, err := payment.New(payment.Config{
			Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Gateways: gateways, DefaultGateway: "third", Router: r,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AttachOwner("booking", quiet{}); err != nil {
			t.Fatal(err)
		}
		cmd := command(hyperlocal.VerbCharge, "b1", 100, "pay/1", "ok")
		cmd.Gateway, cmd.Merchant = c.named, hyperlocal.NewRef("merchant", "m")
		ops, err := s.Begin(t.Context(), cmd)
		if len(r.asked) != c.asked {
			t.Fatalf("%s: it was asked %d times", name, len(r.asked))
		}
		if c.asked > 0 {
			if q := r.asked[0]; q.Tenant != cmd.Tenant || q.Owner != cmd.Owner || q.Merchant != cmd.Merchant || q.Amount != cmd.Amount || q.Method != "ok" || q.Verb != cmd.Verb {
				t.Errorf("%s: it was asked about %+v", name, q)
			}
		}
		if c.reason != "" {
			if hyperlocal.ReasonOf(err) != c.reason {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		op, err := s.Operation(t.Context(), cmd.Tenant, ops[0].ID)
		if err != nil || op.Gateway != c.want {
			t.Errorf("%s: it goes to %q, %v; want %q", name, op.Gateway, err, c.want)
		}
	}
}
