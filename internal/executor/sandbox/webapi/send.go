package webapi

import (
	"slices"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

// What fetch needs of Request and Response. Package sdk makes the call.

// RequestToSend is the Request that fetch was given, or makes one of its arguments. It throws what stands
// against sending it.
func (g *Global) RequestToSend(input, init goja.Value) *Request {
	request := realm.State[Request](input)
	if request == nil || !goja.IsUndefined(init) {
		o, err := g.VM.New(g.request.Ctor, input, init)
		if err != nil {
			panic(err)
		}
		request = realm.State[Request](o)
	}

	if g.isUsed(&request.body) {
		panic(g.VM.NewTypeError("the request's body has already been read"))
	}
	if signal := request.followed(); g.IsAborted(signal) {
		panic(g.AbortReason(signal))
	}

	return request
}

// TakeBody reads the body of a request that is sent: its bytes, or a promise of them when they come out of
// a stream.
func (g *Global) TakeBody(r *Request) (raw []byte, pending goja.Value) {
	r.body.used = !r.body.null
	if r.body.isStreaming() {
		return nil, g.drainBody(&r.body)
	}
	return r.body.bytes, nil
}

// Message is the request as it is sent, without its body.
func (r *Request) Message() *cloud.Request {
	url, _, _ := strings.Cut(r.url, "#")
	headers := r.headers.list
	if _, has := r.headers.get("accept"); !has { // Fetch standard, 4.1
		headers = append(slices.Clone(headers), cloud.Header{Name: "accept", Value: "*/*"})
	}

	return &cloud.Request{Method: r.method, URL: url, Headers: headers}
}

// Local is the response to a request that needs no other server, to one of a data: URL. It is nil for any
// other, and throws a TypeError for a malformed one.
func (g *Global) Local(r *Request) goja.Value {
	if !strings.HasPrefix(r.url, "data:") {
		return nil
	}

	response, ok := dataURL(r.url)
	if !ok {
		g.Throw("FetchError", "fetch: the data: URL is malformed")
	}
	if r.method != "GET" && r.method != "HEAD" {
		g.Throw("FetchError", "fetch: a data: URL knows the methods GET and HEAD alone")
	}
	if r.method == "HEAD" {
		response.Body = nil
	}

	url, _, _ := strings.Cut(r.url, "#")
	return g.NewResponse(Fetched{Response: response, URL: url})
}

// Redirect is how redirects are followed: follow, manual, error, or empty, which is follow.
func (r *Request) Redirect() string { return r.opts().redirect }

// Signal is by what the request can be aborted; nothing: it cannot.
func (r *Request) Signal() goja.Value { return r.followed() }

// Fetched is a response that came from another server.
type Fetched struct {
	Response   *cloud.Response
	URL        string     // of the last request, if there were redirects
	Redirected bool       // there were
	Remote     RemoteBody // nil if Response has all of the body
}

// NewResponse makes the Response that fetch resolves to.
func (g *Global) NewResponse(f Fetched) goja.Value {
	return g.Instance(g.response, &Response{
		status:     f.Response.Status,
		statusText: f.Response.StatusText,
		fetched:    true,
		url:        f.URL,
		redirected: f.Redirected,
		headers:    &headersState{list: f.Response.Headers, immutable: true},
		body:       bodyState{bytes: f.Response.Body, null: nullBodyStatus(f.Response.Status), far: f.Remote},
	})
}
