package ledger

import (
	"cmp"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits of the names in a posting, in bytes.
const (
	MaxAccount   = 255
	MaxAsset     = 16
	MaxReference = 255
	MaxKind      = 64
)

// Account is where value is kept: a path in one asset. The same path in another asset is
// another account.
type Account struct {
	Path  string `json:"path"`  // segments parted by "/", such as "clearing/sandbox"
	Asset string `json:"asset"` // currency code, or another asset such as "POINTS"
}

// Key names an account across tenants.
type Key struct {
	Tenant  hyperlocal.TenantID
	Account Account
}

// Compare orders keys by tenant, path and asset, byte by byte: the order in which bounded
// accounts are locked.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Tenant, o.Tenant), cmp.Compare(k.Account.Path, o.Account.Path),
		cmp.Compare(k.Account.Asset, o.Account.Asset))
}

// Validate refuses a path that is empty, long, unprintable or begins with a slash, and an
// asset that is not made of 1 to 16 of A-Z, 0-9 and _: code invalid.
func (a Account) Validate() error {
	if err := checkPath(a.Path); err != nil {
		return err
	}
	if a.Asset == "" || len(a.Asset) > MaxAsset {
		return hyperlocal.Invalid("ledger", "asset", "an asset has 1 to 16 characters")
	}
	for i := range len(a.Asset) {
		if c := a.Asset[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return hyperlocal.Invalid("ledger", "asset", "an asset consists of A-Z, 0-9 and _")
		}
	}
	return nil
}

func checkPath(path string) error {
	if path == "" || path[0] == '/' {
		return hyperlocal.Invalid("ledger", "account", `an account is a path of segments, such as "clearing/sandbox"`)
	}
	return hyperlocal.CheckText("ledger", "account", path, MaxAccount)
}
