package memstore_test

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox/sandboxtest"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/paymenttest"
)

func TestPayments(t *testing.T) {
	t.Parallel()
	paymenttest.Run(t, func(*testing.T) paymenttest.Harness {
		db := memstore.New(memstore.WithRankCheck())
		return paymenttest.Harness{Store: db.Payments(), Tx: db, Outbox: db.Outbox(), OpenBank: sandboxtest.Bank(db.SandboxLog())}
	})
}

func TestPaymentsGathered(t *testing.T) {
	t.Parallel()
	paymenttest.Run(t, func(*testing.T) paymenttest.Harness {
		db := memstore.New(memstore.WithRankCheck())
		return paymenttest.Harness{
			Store: db.Payments(), Tx: db, Outbox: db.Outbox(), OpenBank: sandboxtest.Bank(db.SandboxLog()), Intake: &payment.Intake{},
		}
	})
}

func TestSandboxLog(t *testing.T) {
	t.Parallel()
	sandboxtest.RunLog(t, func(*testing.T) sandbox.Log { return memstore.New().SandboxLog() })
}
