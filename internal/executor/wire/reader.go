package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// readBuffer is the size of a Reader's buffer, in bytes: many small frames come with one read.
const readBuffer = 64 << 10

// Reader reads frames. It is for one goroutine.
type Reader struct {
	r      *bufio.Reader
	max    int // bytes of a body
	header [headerLen]byte
}

// NewReader returns a Reader that refuses frames whose bodies have more than max bytes.
func NewReader(r io.Reader, max int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, readBuffer), max: max}
}

// Next reads one frame. The body is the caller's to keep. The error is io.EOF or io.ErrUnexpectedEOF when the
// stream has ended, and ErrProtocol for a frame whose length is not allowed.
func (r *Reader) Next() (kind Kind, id uint64, body []byte, err error) {
	if _, err = io.ReadFull(r.r, r.header[:]); err != nil {
		return 0, 0, nil, err
	}

	size := int(binary.LittleEndian.Uint32(r.header[:])) - (headerLen - kindAt)
	if size < 0 || size > r.max {
		return 0, 0, nil, fmt.Errorf("%w: frame of %d bytes", ErrProtocol, size)
	}

	body = make([]byte, size)
	if _, err = io.ReadFull(r.r, body); err != nil {
		return 0, 0, nil, err
	}
	return Kind(r.header[kindAt]), binary.LittleEndian.Uint64(r.header[idAt:]), body, nil
}
