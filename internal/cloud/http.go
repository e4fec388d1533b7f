package cloud

// Header is one header field, as it was received or is sent.
type Header struct{ Name, Value string }

// Request is an HTTP request on its way to a script. PiCloud's own credentials have been removed.
type Request struct {
	Method  string
	URL     string
	Headers []Header
	Body    []byte
	// Params are the route's parameters, decoded once.
	Params []Header
}

// Response is what a script answered.
type Response struct {
	Status int
	// StatusText is the reason phrase of a fetched response. What a script answers is sent without one.
	StatusText string
	Headers    []Header
	Body       []byte
	// Stream, if set, replaces Body: it gives the body piece by piece while the run goes on.
	Stream ResponseStream
}

// MaxResponseHeader is the most bytes that a response's header fields can have, names and values together.
const MaxResponseHeader = 64 << 10

// HeaderBytes returns the size of header fields as they are sent, separators included.
func HeaderBytes(fields []Header) int {
	n := 0
	for _, f := range fields {
		n += len(f.Name) + len(f.Value) + len(": \r\n")
	}
	return n
}

// ResponseStream is the body of a response that a script is still writing. One goroutine reads it.
type ResponseStream interface {
	// Next waits for the next piece. It returns io.EOF after the last, and another error when the run ended
	// before.
	Next() ([]byte, error)
	// Close ends the reading. The script's stream is cancelled; the run goes on.
	Close()
}
