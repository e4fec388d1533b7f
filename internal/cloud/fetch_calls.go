package cloud

// FetchCall is a host call that the HTTP client of scripts answers.
type FetchCall interface {
	HostCall
	fetchCall()
}

// toFetch makes the struct that embeds it a FetchCall.
type toFetch struct{}

func (toFetch) hostCall()  {}
func (toFetch) fetchCall() {}

// Fetch sends a request. A short body comes with the response; the rest of a longer one is for FetchRead.
type Fetch struct {
	toFetch
	Request *Request
	// Redirect is what to do with a redirection: manual, error, or anything else to follow it.
	Redirect string
}

// Op returns OpFetch.
func (Fetch) Op() HostOp { return OpFetch }

// FetchRead reads on in the body of a response.
type FetchRead struct {
	toFetch
	Fetch uint64 // the number of the Fetch in its run
	All   bool   // all of the rest, not only the next piece
}

// Op returns OpFetchRead.
func (FetchRead) Op() HostOp { return OpFetchRead }
