package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Reader reads frames.
type Reader struct {
	r   *bufio.Reader
	max int
	hdr [headerLen]byte
}

// NewReader returns a Reader that refuses frames over max bytes.
func NewReader(r io.Reader, max int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 64<<10), max: max}
}

// Next reads one frame. The body is the caller's to keep.
func (r *Reader) Next() (kind Kind, id uint64, body []byte, err error) {
	if _, err = io.ReadFull(r.r, r.hdr[:]); err != nil {
		return 0, 0, nil, err
	}
	n := int(binary.LittleEndian.Uint32(r.hdr[:])) - (headerLen - 4)
	if n < 0 || n > r.max {
		return 0, 0, nil, fmt.Errorf("%w: frame of %d bytes", ErrProtocol, n)
	}
	body = make([]byte, n)
	if _, err = io.ReadFull(r.r, body); err != nil {
		return 0, 0, nil, err
	}
	return Kind(r.hdr[4]), binary.LittleEndian.Uint64(r.hdr[5:]), body, nil
}
