package hyperlocal

import (
	"crypto/rand"
	"encoding/binary"
	"math/big"

	"github.com/google/uuid"
)

// IDSource makes identifiers. It is injected, so that a simulation can be repeated.
type IDSource interface {
	// NewID returns a new UUIDv7 in its 36-character lower-case form. Implementations are
	// safe for concurrent use.
	NewID() string
	// Letters returns n random letters of alphabet, each equally likely.
	Letters(n int, alphabet string) string
}

// RandomIDs is the production [IDSource]: UUIDv7 from the system's clock and randomness.
type RandomIDs struct{}

// NewID implements [IDSource]. It panics only if the operating system has no randomness.
func (RandomIDs) NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Letters implements [IDSource].
func (RandomIDs) Letters(n int, alphabet string) string {
	size := big.NewInt(int64(len(alphabet)))
	out := make([]byte, n)
	for i := range out {
		k, err := rand.Int(rand.Reader, size)
		if err != nil {
			panic(err) // crypto/rand never fails on supported systems
		}
		out[i] = alphabet[k.Int64()]
	}
	return string(out)
}

// UnambiguousAlphabet has no letters or digits that people confuse when they read a code
// aloud or copy it from paper: no 0 O 1 I L U V.
const UnambiguousAlphabet = "23456789ABCDEFGHJKMNPQRSTWXYZ"

// ValidID reports whether text is a UUID in canonical lower-case form.
func ValidID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// RandomUint64 returns a random number for jitter and shard choice, from the one source of
// randomness of the module.
func RandomUint64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return binary.BigEndian.Uint64(b[:])
}
