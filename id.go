package hyperlocal

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// IDSource makes identifiers. It is injected, so that a simulation can be repeated.
type IDSource interface {
	// NewID returns a new UUIDv7 in its 36-character lower-case form. Implementations are
	// safe for concurrent use.
	NewID() string
	// Letters returns n random letters of alphabet, each equally likely.
	Letters(n int, alphabet string) string
}

// RandomIDs is the production [IDSource]: UUIDv7 of RFC 9562 from the system's clock and
// randomness. The 48 bits of milliseconds are followed by the 12 of the fraction, which make
// ids of one process ascend, and by 62 random bits, which nobody can guess.
type RandomIDs struct{}

// NewID implements [IDSource]. Within a process every id sorts after those made before it.
func (RandomIDs) NewID() string {
	var id [16]byte
	entropy.fill(id[8:])
	stamp := nextStamp(Stopwatch())
	binary.BigEndian.PutUint64(id[:8], stamp>>12<<16|7<<12|stamp&0xfff)
	id[8] = id[8]&0x3f | 0x80 // the variant

	var text [36]byte
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// Letters implements [IDSource]. It panics if the alphabet is empty or has more than 256
// letters.
func (RandomIDs) Letters(n int, alphabet string) string {
	size := len(alphabet)
	// A byte at or beyond the last multiple of size would favour the first letters.
	fair := 256 / size * size
	out := make([]byte, 0, 32)
	for len(out) < n {
		var draw [16]byte
		entropy.fill(draw[:])
		for _, b := range draw {
			if len(out) < n && int(b) < fair {
				out = append(out, alphabet[int(b)%size])
			}
		}
	}
	return string(out)
}

// pool hands out the operating system's randomness, which it fetches in blocks: one call
// for each id would cost more than all the rest of the id. Every byte is handed out once,
// and forgotten here when it is.
type pool struct {
	mu    sync.Mutex
	block [4096]byte
	left  int
}

var entropy pool

// fill fills p, which is at most as long as a block. It never fails: crypto/rand ends the
// program if the operating system has no randomness.
func (s *pool) fill(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left < len(p) {
		_, _ = rand.Read(s.block[:])
		s.left = len(s.block)
	}
	at := len(s.block) - s.left
	next := s.block[at : at+len(p)]
	copy(p, next)
	clear(next)
	s.left -= len(p)
}

// stamps remembers the last one that was handed out.
var stamps struct {
	mu   sync.Mutex
	last uint64
}

// nextStamp returns a point in time as 48 bits of milliseconds since 1970 and 12 bits of the
// fraction, later than all before it: a clock that stands still or goes back is run ahead of.
func nextStamp(now time.Time) uint64 {
	nano := uint64(now.UnixNano()) //nolint:gosec // the machine's clock is past 1970
	stamp := nano/1e6<<12 | nano%1e6<<12/1e6
	stamps.mu.Lock()
	defer stamps.mu.Unlock()
	stamps.last = max(stamp, stamps.last+1)
	return stamps.last
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
	entropy.fill(b[:])
	return binary.BigEndian.Uint64(b[:])
}
