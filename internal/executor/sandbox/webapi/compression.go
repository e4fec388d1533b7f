package webapi

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"

	"github.com/dop251/goja"
)

// maxDecompressed bounds what one DecompressionStream gives, in bytes, against decompression bombs.
const maxDecompressed = 64 << 20

// addCompression gives streams.js what CompressionStream and DecompressionStream (Compression standard) are
// made of: functions that make, for a format, a function of a chunk and whether it is the last.
func (g *Global) addCompression(host *goja.Object) {
	add := func(name string, make func(format string) func(chunk []byte, last bool) ([]byte, error)) {
		g.Define(host, name, func(c goja.FunctionCall) goja.Value {
			step := make(c.Argument(0).String())
			return g.VM.ToValue(func(c goja.FunctionCall) goja.Value {
				chunk, _ := g.BytesOf(c.Argument(0))

				out, err := step(chunk, c.Argument(1).ToBoolean())
				switch {
				case errors.Is(err, errDecompressed):
					g.Throw("LimitError", err.Error())
				case err != nil:
					panic(g.VM.NewTypeError("%s", err))
				}

				return g.Uint8Array(out)
			})
		})
	}
	add("compressor", compressor)
	add("decompressor", decompressor)
}

// compressor compresses chunk by chunk. What a step returns is valid until the next one.
func compressor(format string) func(chunk []byte, last bool) ([]byte, error) {
	var out bytes.Buffer

	var writer io.WriteCloser
	switch format {
	case "gzip":
		writer = gzip.NewWriter(&out)
	case "deflate":
		writer = zlib.NewWriter(&out)
	default:
		writer, _ = flate.NewWriter(&out, flate.DefaultCompression)
	}

	return func(chunk []byte, last bool) ([]byte, error) {
		out.Reset()
		_, err := writer.Write(chunk)
		if last {
			err = errors.Join(err, writer.Close())
		}
		return out.Bytes(), err
	}
}

var errDecompressed = fmt.Errorf("the compressed data has more than %d bytes when it is decompressed",
	maxDecompressed)

// decompressor keeps its input until the last chunk: the readers of the standard library pull.
func decompressor(format string) func(chunk []byte, last bool) ([]byte, error) {
	var in bytes.Buffer
	return func(chunk []byte, last bool) ([]byte, error) {
		in.Write(chunk)
		if !last {
			return nil, nil
		}

		r, err := decompressing(format, &in)
		if err != nil {
			return nil, fmt.Errorf("the compressed data is not %s", format)
		}

		out, err := io.ReadAll(io.LimitReader(r, maxDecompressed+1))
		switch {
		case err != nil:
			return nil, fmt.Errorf("the compressed data is damaged or cut off: %w", err)
		case len(out) > maxDecompressed:
			return nil, errDecompressed
		case in.Len() > 0:
			return nil, errors.New("there is data after the end of the compressed data")
		}

		return out, nil
	}
}

// decompressing makes the reader of a format: gzip, deflate (zlib) or deflate-raw.
func decompressing(format string, in *bytes.Buffer) (io.Reader, error) {
	switch format {
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		z.Multistream(false) // a second member is data after the end
		return z, nil
	case "deflate":
		return zlib.NewReader(in)
	default:
		return flate.NewReader(in), nil
	}
}
