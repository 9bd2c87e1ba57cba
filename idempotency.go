package hyperlocal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// IdempotencyKey identifies one intent of a caller, so that a repeated request is answered
// and not repeated. The zero Key field means the caller gave none.
type IdempotencyKey struct {
	Tenant TenantID
	Caller string // who sent it: two callers may use the same key
	Route  string // which operation
	Key    string // chosen by the caller, 1 to 255 printable ASCII characters
	// Fingerprint is a digest of the request; the same key with another fingerprint is refused.
	Fingerprint string
	// Result, if set, is stored with the claim: the JSON document that a repetition is to be
	// answered with if the command succeeds as foreseen. It takes effect with the commit,
	// and nothing more need be written; otherwise the key is given to Complete with another
	// result, or to Free, in the transaction of the claim. A command that may commit without
	// having its result, such as one that waits for a gateway, leaves it nil.
	Result json.RawMessage
}

// IsZero reports whether the caller gave no key.
func (k IdempotencyKey) IsZero() bool { return k.Key == "" }

// MaxIdempotencyKey bounds a caller's key, in bytes.
const MaxIdempotencyKey = 255

// Validate refuses a long or unprintable key: code invalid.
func (k IdempotencyKey) Validate() error {
	if k.IsZero() {
		return nil
	}
	if len(k.Key) > MaxIdempotencyKey {
		return Invalid("idempotency", "key", "an idempotency key has at most 255 characters")
	}
	for i := range len(k.Key) {
		if c := k.Key[i]; c < 0x20 || c > 0x7e {
			return Invalid("idempotency", "key", "an idempotency key consists of printable ASCII characters")
		}
	}
	return k.Tenant.Validate()
}

// Fingerprint digests the parts of a request: SHA-256 over their JSON forms, in hex.
func Fingerprint(parts ...any) (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, p := range parts {
		if err := enc.Encode(p); err != nil {
			return "", NewError(CodeInternal, "idempotency/fingerprint", "request cannot be digested").WithCause(err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Claim is the answer to a claimed key.
type Claim struct {
	// Fresh: the caller is the first; it does the work and calls Complete or Free, unless the
	// Result that it claimed the key with is the one to keep.
	Fresh bool
	// Result is what the first caller stored, if the key is not fresh and Err is nil.
	Result json.RawMessage
	// Err is set when the key cannot be used: ErrKeyReused or ErrKeyInProgress.
	Err error
}

// Errors of a claim.
var (
	ErrKeyReused = NewError(CodeInvalid, "idempotency/key_reused",
		"this idempotency key was used for a different request; choose a new key")
	ErrKeyInProgress = NewError(CodeConflict, "idempotency/in_progress",
		"a request with this idempotency key is being worked on; retry shortly").WithRetryAfter(time.Second)
	ErrKeyRequired = NewError(CodeInvalid, "idempotency/key_required",
		"this operation needs an idempotency key")
)

// Idempotency stores the results of commands under their callers' keys.
type Idempotency interface {
	// Claim takes the keys in sorted order, in the transaction of ctx, and answers per key,
	// in the order given. A twin that is being worked on by another transaction is waited
	// for at most two seconds; then its Claim carries ErrKeyInProgress. Zero keys are
	// answered as fresh. Equal keys within one call: the first is fresh and the others
	// carry ErrKeyInProgress; the caller gives them the first one's result. The Result of a
	// fresh key is stored with it, and seen by whoever claims the key after the commit; that
	// of any other is ignored.
	Claim(ctx context.Context, keys []IdempotencyKey) ([]Claim, error)
	// Complete queues the results of fresh keys, instead of those that they were claimed
	// with. results[i] belongs to keys[i]; zero keys are skipped. The keys are as they were
	// given to Claim: one that has another result by now, or is not claimed, fails the
	// transaction with code internal, reason "idempotency/not_claimed".
	Complete(ctx context.Context, keys []IdempotencyKey, results []json.RawMessage) error
	// Free gives fresh keys back in the same transaction, because the request was refused,
	// and forgets the results that they were claimed with. Otherwise it is as Complete.
	Free(ctx context.Context, keys []IdempotencyKey) error
}

// FreshClaimer is an optional ability of an [Idempotency], for [ClaimKeys].
type FreshClaimer interface {
	// ClaimFresh queues the claim of keys that are presumed to be fresh. If one is not, the
	// transaction fails. Zero keys are passed over.
	ClaimFresh(ctx context.Context, keys []IdempotencyKey) error
}

// ClaimKeys claims keys of commands. As long as it may [Presume], it does so without asking
// whether they are fresh, since they nearly always are: the claim is made with the commit, and
// nobody is kept waiting, or known to be a twin, before that. So use it only where nothing but
// the transaction depends on the answer; elsewhere ask the store itself.
func ClaimKeys(ctx context.Context, store Idempotency, keys []IdempotencyKey) ([]Claim, error) {
	f, ok := store.(FreshClaimer)
	if !ok || len(keys) == 0 || !Presume(ctx, ScopeOf(store)) {
		return store.Claim(ctx, keys)
	}
	if err := f.ClaimFresh(ctx, keys); err != nil {
		return nil, err
	}
	claims := make([]Claim, len(keys))
	for i := range claims {
		claims[i].Fresh = true
	}
	return claims, nil
}
