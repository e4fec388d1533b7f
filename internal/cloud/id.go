package cloud

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// ID is a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then a counter and randomness, so that ids sort
// by the time they were made.
type ID [16]byte

// IsZero reports whether the id is unset.
func (i ID) IsZero() bool { return i == ID{} }

// String returns the canonical 36-character form, and the empty string for the zero id.
func (i ID) String() string {
	if i.IsZero() {
		return ""
	}

	var b [36]byte
	hex.Encode(b[0:8], i[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], i[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], i[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], i[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], i[10:16])
	return string(b[:])
}

// Time returns the moment the id was made, to the millisecond.
func (i ID) Time() time.Time {
	ms := int64(binary.BigEndian.Uint64(i[0:8]) >> 16)
	return time.UnixMilli(ms).UTC()
}

// Less reports whether i was made before other.
func (i ID) Less(other ID) bool { return bytes.Compare(i[:], other[:]) < 0 }

// ParseID reads the canonical form. It reports false for anything else, and for the zero id.
func ParseID(s string) (ID, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, false
	}

	var id ID
	compact := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(id[:], []byte(compact)); err != nil {
		return ID{}, false
	}

	return id, !id.IsZero()
}

// LastID is greater than every id that is made.
var LastID = ID{
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
}

// FirstID is the least id of a moment: ids made later are greater.
func FirstID(t time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[0:8], uint64(max(0, t.UnixMilli()))<<16)
	return id
}

const (
	counterBits = 12
	// randomBytes are those of one id, of which the first two bits are the variant.
	randomBytes = 8
	// pooledIDs is for how many ids random bytes are read at once: a run takes several ids, and each read
	// is a system call.
	pooledIDs = 256
)

// IDSource makes ids that grow strictly within one process. The zero value is ready. It is safe for
// concurrent use.
type IDSource struct {
	// mu guards everything below. No other lock is taken under it.
	mu sync.Mutex
	// last is the milliseconds of the last id, shifted by counterBits, and its counter. More ids than the
	// counter holds within one millisecond run into the next.
	last uint64
	// pool has random bytes that no id has used yet.
	pool []byte
}

// New returns the next id.
func (s *IDSource) New() ID {
	s.mu.Lock()
	defer s.mu.Unlock()

	// If the clock stands still or was put back, count on from the last id.
	now := uint64(time.Now().UnixMilli()) << counterBits
	if now <= s.last {
		now = s.last + 1
	}
	s.last = now

	if len(s.pool) < randomBytes {
		s.pool = make([]byte, pooledIDs*randomBytes)
		_, _ = rand.Read(s.pool) // crypto/rand.Read never fails
	}

	const version, variant = 0x7000, 0x80
	ms := now >> counterBits
	counter := now & (1<<counterBits - 1)
	var id ID
	binary.BigEndian.PutUint64(id[0:8], ms<<16|version|counter)
	copy(id[8:], s.pool[:randomBytes])
	s.pool = s.pool[randomBytes:]
	id[8] = id[8]&0x3f | variant
	return id
}
