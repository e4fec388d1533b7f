package cloud

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// ID is a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then a counter and randomness, so ids sort by creation.
type ID [16]byte

// IsZero reports whether the id is unset.
func (i ID) IsZero() bool { return i == ID{} }

// String gives the canonical 36-character form; the zero id is the empty string.
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

// Time is the moment the id was made, to the millisecond.
func (i ID) Time() time.Time {
	ms := int64(binary.BigEndian.Uint64(i[0:8]) >> 16)
	return time.UnixMilli(ms).UTC()
}

// Less reports whether i was made before other.
func (i ID) Less(other ID) bool { return bytes.Compare(i[:], other[:]) < 0 }

// ParseID reads the canonical form.
func ParseID(s string) (ID, bool) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	compact := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(id[:], []byte(compact)); err != nil {
		return ID{}, false
	}
	return id, !id.IsZero()
}

// LastID is greater than every id that is made.
var LastID = ID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// FirstID is the least id of a moment: ids made later are greater.
func FirstID(t time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[0:8], uint64(max(0, t.UnixMilli()))<<16)
	return id
}

// IDSource makes ids that grow strictly within one process. The zero value is ready.
type IDSource struct {
	mu   sync.Mutex
	last uint64 // milliseconds << 12 | counter
	pool []byte
}

// New returns the next id.
func (s *IDSource) New() ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := uint64(time.Now().UnixMilli()) << 12
	if now <= s.last {
		now = s.last + 1
	}
	s.last = now
	if len(s.pool) < 8 {
		s.pool = make([]byte, 2048)
		_, _ = rand.Read(s.pool) // crypto/rand.Read never fails
	}
	var id ID
	ms, counter := now>>12, now&0xfff
	binary.BigEndian.PutUint64(id[0:8], ms<<16|0x7000|counter)
	copy(id[8:], s.pool[:8])
	s.pool = s.pool[8:]
	id[8] = id[8]&0x3f | 0x80
	return id
}
