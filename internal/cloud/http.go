package cloud

// Header is one header field as it came or goes.
type Header struct{ Name, Value string }

// Request is an HTTP request on its way to a script, free of PiCloud's own credentials.
type Request struct {
	Method  string
	URL     string
	Headers []Header
	Body    []byte
	Params  []Header // route parameters, decoded once
}

// Response is what a script answered.
type Response struct {
	Status  int
	Headers []Header
	Body    []byte
	// Stream, if set, gives the body piece by piece instead, while the run goes on.
	Stream ResponseStream
}

// MaxResponseHeader is the most bytes that a response's header fields can have, names and values together.
const MaxResponseHeader = 64 << 10

// HeaderBytes counts what header fields have.
func HeaderBytes(fields []Header) int {
	n := 0
	for _, f := range fields {
		n += len(f.Name) + len(f.Value) + len(": \r\n")
	}
	return n
}

// ResponseStream is the body of a response that a script is still writing. One goroutine reads it.
type ResponseStream interface {
	// Next waits for the next piece. It returns io.EOF after the last, and another error when the run ended before.
	Next() ([]byte, error)
	// Close says that nobody reads on. The script's stream is cancelled; the run goes on.
	Close()
}
