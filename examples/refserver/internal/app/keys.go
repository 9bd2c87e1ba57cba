package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Demo is the tenant that the server seeds and whose keys it prints.
const Demo hyperlocal.TenantID = "demo"

// Keys authenticate the three callers of the demonstration. They are derived from a secret
// that lives in the database, so they stay the same from start to start and differ from
// database to database. A host brings its own authentication in their place.
type Keys struct {
	Shopper, Merchant, Admin string
	principals               []keyed
}

type keyed struct {
	digest    [sha256.Size]byte
	principal hyperlocal.Principal
}

// The callers of the demonstration.
const (
	demoShopper  = "ada"
	demoMerchant = "corner-bakery"
)

// loadKeys derives the keys from the secret of the database.
func (a *App) loadKeys(ctx context.Context) (Keys, error) {
	secret, err := a.DB.secret(ctx, hyperlocal.RandomIDs{}.Letters(40, hyperlocal.UnambiguousAlphabet))
	if err != nil {
		return Keys{}, fmt.Errorf("reading the secret of the printed keys: %w", err)
	}
	var k Keys
	k.Shopper = k.add(secret, hyperlocal.Principal{
		Tenant: Demo, Actor: hyperlocal.Actor{Kind: "shopper", ID: demoShopper}, Scopes: []string{hyperlocal.ScopeShop},
	})
	k.Merchant = k.add(secret, hyperlocal.Principal{
		Tenant: Demo, Actor: hyperlocal.Actor{Kind: "merchant", ID: "baker"}, Merchant: demoMerchant,
		Scopes: []string{hyperlocal.ScopeMerchant},
	})
	k.Admin = k.add(secret, hyperlocal.Principal{
		Tenant: Demo, Actor: hyperlocal.Actor{Kind: "admin", ID: "admin"}, Scopes: []string{hyperlocal.ScopeAdmin},
	})
	return k, nil
}

func (k *Keys) add(secret string, p hyperlocal.Principal) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(p.Actor.Kind))
	key := p.Actor.Kind + "-" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
	k.principals = append(k.principals, keyed{digest: sha256.Sum256([]byte(key)), principal: p})
	return key
}

var errUnauthenticated = hyperlocal.NewError(hyperlocal.CodeUnauthenticated, "server/key_required",
	`send one of the keys that the server printed: "Authorization: Bearer <key>"`)

// Authenticate knows the caller by the bearer token of the request. Every key is compared in
// constant time, and always all of them.
func (k *Keys) Authenticate(r *http.Request) (hyperlocal.Principal, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return hyperlocal.Principal{}, errUnauthenticated
	}
	digest := sha256.Sum256([]byte(token))
	var found hyperlocal.Principal
	hit := 0
	for i := range k.principals {
		if subtle.ConstantTimeCompare(digest[:], k.principals[i].digest[:]) == 1 {
			found, hit = k.principals[i].principal, 1
		}
	}
	if hit == 0 {
		return hyperlocal.Principal{}, errUnauthenticated
	}
	return found, nil
}
