package webapi

import (
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

// Request is what an instance of the class Request carries.
type Request struct {
	method, url string
	headers     *headersState
	headersObj  *goja.Object // nil until asked for
	body        bodyState
	signal      goja.Value // nil until asked for
	incoming    uint64     // the run whose own request it is: its signal follows the caller; 0: of none
	redirect    string     // follow if empty
}

// newRequestClass defines Request (Fetch standard, 5.4).
func (g *Global) newRequestClass() realm.Class {
	class := g.NewClass("Request", g.constructRequest)
	this := func(v goja.Value) *Request { return realm.MustState[Request](g.Realm, v, "Request") }

	g.Getter(class.Proto, "method", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).method) })
	g.Getter(class.Proto, "url", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).url) })
	g.Getter(class.Proto, "headers", func(v goja.Value) goja.Value {
		r := this(v)
		if r.headersObj == nil {
			r.headersObj = g.Instance(g.headers, r.headers)
		}
		return r.headersObj
	})
	g.Getter(class.Proto, "redirect", func(v goja.Value) goja.Value {
		return g.VM.ToValue(this(v).redirectMode())
	})
	g.Getter(class.Proto, "signal", func(v goja.Value) goja.Value { return g.signalOf(this(v)) })
	g.Define(class.Proto, "clone", func(c goja.FunctionCall) goja.Value {
		return g.cloneRequest(this(c.This))
	})
	g.addBody(class.Proto, func(v goja.Value) (*bodyState, *headersState) {
		r := this(v)
		return &r.body, r.headers
	})

	return class
}

// signalOf makes a request's signal when it is first asked for.
func (g *Global) signalOf(r *Request) goja.Value {
	if r.signal == nil {
		r.signal = g.newSignal(r.incoming)
	}

	return r.signal
}

// newSignal makes the signal of a request. That of a run's own request, and of its copies, is one for all,
// while the run is the one that uses the runtime: a request that was kept does not follow another's caller.
func (g *Global) newSignal(incoming uint64) goja.Value {
	follows := incoming != 0 && g.run != nil && g.run.ID == incoming
	if follows && g.run.signal != nil {
		return g.run.signal
	}

	signal, err := g.loadEvents().newSignal(goja.Undefined())
	if err != nil {
		panic(err)
	}
	if follows {
		g.watchSignal(g.run, signal)
	}

	return signal
}

// cloneRequest is request.clone(); the body is split between both.
func (g *Global) cloneRequest(r *Request) goja.Value {
	body := g.cloneBody(&r.body, "Request")
	return g.Instance(g.request, &Request{
		method:   r.method,
		url:      r.url,
		headers:  r.headers.clone(),
		body:     body,
		signal:   r.signal,
		incoming: r.incoming,
		redirect: r.redirect,
	})
}

// constructRequest is new Request(input, init) (Fetch standard, 5.4).
func (g *Global) constructRequest(c goja.ConstructorCall) any {
	request := &Request{method: "GET", headers: &headersState{}}
	request.body.null = true

	if other := realm.State[Request](c.Argument(0)); other != nil {
		g.copyRequest(request, other)
	} else {
		request.url = g.requestURL(c.Argument(0).String())
	}
	if init, ok := c.Argument(1).(*goja.Object); ok {
		g.initRequest(request, init)
	}

	return request
}

// copyRequest takes over what another request has, also its body. A stream that was made of bytes for a
// script stays there: the bytes are taken.
func (g *Global) copyRequest(r, other *Request) {
	if other.body.used {
		panic(g.VM.NewTypeError("the request's body has already been read"))
	}

	r.method = other.method
	r.url = other.url
	r.body = other.body
	r.signal = other.signal
	r.redirect = other.redirect
	r.headers.list = append(r.headers.list, other.headers.list...)
	if r.body.whole {
		r.body.stream = nil
		r.body.whole = false
	}
}

// requestURL is the absolute form of a URL that may be requested; any other throws a TypeError.
func (g *Global) requestURL(text string) string {
	u, err := parseURL(text, "")
	if err != nil {
		panic(g.VM.NewTypeError("%q is not a valid URL", realm.Clip(text)))
	}
	if u.Username() != "" || u.Password() != "" {
		panic(g.VM.NewTypeError("the URL of a Request must not carry a username or password: " +
			"send an Authorization header"))
	}

	return u.Href(false)
}

// initRequest reads a RequestInit.
func (g *Global) initRequest(r *Request, init *goja.Object) {
	if m := init.Get("method"); realm.Given(m) {
		r.method = g.method(m.String())
	}

	if h := init.Get("headers"); realm.Given(h) {
		r.headers.list = nil
		g.fillHeaders(r.headers, h)
	}

	if m := init.Get("redirect"); realm.Given(m) {
		r.redirect = m.String()
		switch r.redirect {
		case "follow", "manual", "error":
		default:
			panic(g.VM.NewTypeError("redirect is follow, manual or error; it is %q", realm.Clip(r.redirect)))
		}
	}

	if s := init.Get("signal"); !realm.IsNothing(s) {
		r.signal = s
	}

	if b := init.Get("body"); !realm.IsNothing(b) {
		if r.method == "GET" || r.method == "HEAD" {
			panic(g.VM.NewTypeError("a %s request cannot have a body", r.method))
		}
		r.body = bodyState{}
		if contentType := g.setBody(&r.body, b); contentType != "" {
			r.headers.setDefaultType(contentType)
		}
	}
}

func (r *Request) redirectMode() string {
	if r.redirect == "" {
		return "follow"
	}
	return r.redirect
}

// method normalises as the Fetch standard does (2.2.1).
func (g *Global) method(m string) string {
	if !validHeaderName(m) {
		panic(g.VM.NewTypeError("%q is not a valid method", realm.Clip(m)))
	}

	upper := strings.ToUpper(m)
	switch upper {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS":
		return upper
	case "CONNECT", "TRACE", "TRACK":
		panic(g.VM.NewTypeError("the method %s is forbidden", upper))
	}

	return m
}

// IncomingRequest is the Request of a run.
func (g *Global) IncomingRequest(r *cloud.Request) *goja.Object {
	var run uint64
	if g.run != nil {
		run = g.run.ID
	}

	return g.Instance(g.request, &Request{
		method:   r.Method,
		url:      r.URL,
		headers:  &headersState{list: r.Headers},
		body:     bodyState{bytes: r.Body, null: len(r.Body) == 0},
		incoming: run,
	})
}
