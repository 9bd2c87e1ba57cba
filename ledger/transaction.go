package ledger

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Transaction is a posting as it was written.
type Transaction struct {
	ID        string              `json:"id"` // UUIDv7
	Tenant    hyperlocal.TenantID `json:"tenant"`
	Reference string              `json:"reference"` // unique per tenant
	Kind      string              `json:"kind"`
	Subject   hyperlocal.Ref      `json:"subject,omitzero"`
	Effective time.Time           `json:"effective"`          // when it happened
	Recorded  time.Time           `json:"recorded"`           // when it was written
	Reverses  string              `json:"reverses,omitempty"` // reference of the posting it corrects
	Actor     hyperlocal.Actor    `json:"actor"`
	Entries   []hyperlocal.Entry  `json:"entries"` // in the order in which they were given

	// Fingerprint digests what the posting says, to tell a repeated reference from a
	// conflicting one.
	Fingerprint []byte `json:"-"`
}

// Result is the answer to one posting of a batch.
type Result struct {
	Transaction string // id of the transaction; "" if the posting was refused
	Replayed    bool   // an earlier posting with the same reference and content did it
	Err         error  // why it was refused
}

// Balance is what an account holds: debits minus credits, so a credit balance is negative.
type Balance struct {
	Account Account `json:"account"`
	Amount  int64   `json:"amount"`
}

// Total is one line of a trial balance: the debit balances and the credit balances of all
// accounts in one asset. Both are positive, and equal as long as the books are right.
type Total struct {
	Asset   string `json:"asset"`
	Debits  int64  `json:"debits"`
	Credits int64  `json:"credits"`
}

// AsOf is a point on the two time axes. A zero field does not restrict.
type AsOf struct {
	Effective time.Time // count what had happened by then, inclusive
	Recorded  time.Time // count what had been written by then, inclusive
}

// Filter selects postings for Journal; zero fields do not restrict.
type Filter struct {
	Account       string         // path: postings with an entry on it
	Asset         string         // with Account: only entries in this asset count
	Subject       hyperlocal.Ref // what they happened to
	EffectiveFrom time.Time      // inclusive
	EffectiveTo   time.Time      // exclusive
}
