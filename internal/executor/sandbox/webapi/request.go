package webapi

import (
	"slices"
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
	signal      goja.Value      // nil until asked for
	source      goja.Value      // the signal that it follows, which a script gave; nil if there is none
	incoming    uint64          // the run whose own request it is: its signal follows the caller; 0: of none
	options     *requestOptions // nil if all are what they are by themselves
}

// requestOptions are the options of a request as scripts read them. Only redirect has a meaning here.
type requestOptions struct {
	mode, credentials, cache, redirect, referrer, referrerPolicy, integrity string
	keepalive                                                               bool
}

var defaultOptions = requestOptions{
	mode: "cors", credentials: "same-origin", cache: "default", redirect: "follow", referrer: "about:client",
}

// opts are the request's options, to be read.
func (r *Request) opts() *requestOptions {
	if r.options == nil {
		return &defaultOptions
	}
	return r.options
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
	g.addRequestOptions(class.Proto, this)
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

// addRequestOptions defines the attributes that say what init gave.
func (g *Global) addRequestOptions(proto *goja.Object, this func(goja.Value) *Request) {
	for name, of := range map[string]func(*requestOptions) any{
		"mode":           func(o *requestOptions) any { return o.mode },
		"credentials":    func(o *requestOptions) any { return o.credentials },
		"cache":          func(o *requestOptions) any { return o.cache },
		"redirect":       func(o *requestOptions) any { return o.redirect },
		"referrer":       func(o *requestOptions) any { return o.referrer },
		"referrerPolicy": func(o *requestOptions) any { return o.referrerPolicy },
		"integrity":      func(o *requestOptions) any { return o.integrity },
		"keepalive":      func(o *requestOptions) any { return o.keepalive },

		"destination":         func(*requestOptions) any { return "" },
		"duplex":              func(*requestOptions) any { return "half" },
		"isReloadNavigation":  func(*requestOptions) any { return false },
		"isHistoryNavigation": func(*requestOptions) any { return false },
	} {
		g.Getter(proto, name, func(v goja.Value) goja.Value { return g.VM.ToValue(of(this(v).opts())) })
	}
}

// signalOf makes a request's signal when it is first asked for.
func (g *Global) signalOf(r *Request) goja.Value {
	switch {
	case r.signal != nil:
	case r.source != nil:
		r.signal = g.MustCall(g.loadEvents().follow, r.source)
	default:
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

// followed is the signal that a copy of a request follows; nil if there is none yet.
func (r *Request) followed() goja.Value {
	if r.signal != nil {
		return r.signal
	}
	return r.source
}

// cloneRequest is request.clone(); the body is split between both.
func (g *Global) cloneRequest(r *Request) goja.Value {
	body := g.cloneBody(&r.body, "Request")
	return g.Instance(g.request, &Request{
		method:   r.method,
		url:      r.url,
		headers:  r.headers.clone(),
		body:     body,
		source:   r.followed(),
		incoming: r.incoming,
		options:  r.options,
	})
}

// constructRequest is new Request(input, init) (Fetch standard, 5.4).
func (g *Global) constructRequest(c goja.ConstructorCall) any {
	g.need(goja.FunctionCall{Arguments: c.Arguments}, 1, "Request")
	request := &Request{method: "GET", headers: &headersState{}}
	request.body.null = true

	other := realm.State[Request](c.Argument(0))
	if other != nil {
		request.method = other.method
		request.url = other.url
		request.source = other.followed()
		request.options = other.options
		request.headers = &headersState{list: slices.Clone(other.headers.list)}
	} else {
		request.url = g.requestURL(g.usvString(c.Argument(0)))
	}

	init := g.dictionary(c.Argument(1), "init")
	ownBody := false
	if init != nil {
		ownBody = g.initRequest(request, init)
	}

	if other != nil && !ownBody {
		g.takeBodyOf(request, other)
	}
	if !request.body.null && (request.method == "GET" || request.method == "HEAD") {
		panic(g.VM.NewTypeError("a %s request cannot have a body", request.method))
	}

	return request
}

// takeBodyOf takes over the body of another request, which is used then.
func (g *Global) takeBodyOf(r, other *Request) {
	if other.body.null {
		return
	}
	if g.isUsed(&other.body) {
		panic(g.VM.NewTypeError("the request's body has already been read"))
	}
	if r.method == "GET" || r.method == "HEAD" {
		panic(g.VM.NewTypeError("a %s request cannot have a body", r.method))
	}

	r.body = other.body
	if other.body.isStreaming() && other.body.stream != nil {
		r.body.stream = g.MustCall(g.loadStreams().proxy, other.body.stream)
	} else {
		r.body.stream = nil // it was made of bytes, which are taken
		r.body.whole = false
		if other.body.stream != nil {
			g.MustCall(g.loadStreams().spend, other.body.stream)
		}
	}
	other.body.far = nil
	other.body.used = true
}

// dictionary is an argument that may be left out, or an object; nil if it is not there.
func (g *Global) dictionary(v goja.Value, what string) *goja.Object {
	if realm.IsNothing(v) {
		return nil
	}
	o, ok := v.(*goja.Object)
	if !ok {
		panic(g.VM.NewTypeError("%s must be an object", what))
	}
	return o
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

// Values of a request's options (Fetch standard, 5.4); those of mode that scripts may not give are not there.
var requestEnums = map[string][]string{
	"cache":       {"default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"},
	"credentials": {"omit", "same-origin", "include"},
	"duplex":      {"half"},
	"mode":        {"same-origin", "no-cors", "cors"},
	"priority":    {"high", "low", "auto"},
	"redirect":    {"follow", "error", "manual"},
	"referrerPolicy": {
		"", "no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin",
		"origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url",
	},
}

// enum reads an option of a few values; it is empty if init has none.
func (g *Global) enum(init *goja.Object, name string) (string, bool) {
	v := init.Get(name)
	if !realm.Given(v) {
		return "", false
	}

	s := g.text(v)
	if !slices.Contains(requestEnums[name], s) {
		panic(g.VM.NewTypeError("%s is %s; it is %q", name, anyOf(requestEnums[name]), realm.Clip(s)))
	}
	return s, true
}

// anyOf lists values for a message, as "a, b or c".
func anyOf(values []string) string {
	last := len(values) - 1
	if last == 0 {
		return values[0]
	}
	return strings.Join(values[:last], ", ") + " or " + values[last]
}

// initRequest reads a RequestInit, its members in the order of their names. It reports whether the body is of
// init.
func (g *Global) initRequest(r *Request, init *goja.Object) (ownBody bool) {
	body := init.Get("body")
	options := *r.opts()
	set := false
	take := func(name string, to *string) {
		if s, ok := g.enum(init, name); ok {
			*to = s
			set = true
		}
	}

	take("cache", &options.cache)
	take("credentials", &options.credentials)
	_, isHalf := g.enum(init, "duplex")
	headers := init.Get("headers")
	if v := init.Get("integrity"); realm.Given(v) {
		options.integrity = g.text(v)
		set = true
	}
	if v := init.Get("keepalive"); realm.Given(v) {
		options.keepalive = v.ToBoolean()
		set = true
	}
	method := init.Get("method")
	take("mode", &options.mode)
	_, _ = g.enum(init, "priority")
	take("redirect", &options.redirect)
	if v := init.Get("referrer"); realm.Given(v) {
		options.referrer = g.referrer(g.usvString(v))
		set = true
	}
	take("referrerPolicy", &options.referrerPolicy)
	g.initSignal(r, init.Get("signal"))
	if w := init.Get("window"); realm.Given(w) && !goja.IsNull(w) {
		panic(g.VM.NewTypeError("window must be null"))
	}

	if options.cache == "only-if-cached" && options.mode != "same-origin" {
		panic(g.VM.NewTypeError(`only-if-cached needs the mode "same-origin"`))
	}
	if set {
		r.options = &options
	}
	if realm.Given(method) {
		r.method = g.method(g.byteString(method, "a method"))
	}
	if realm.Given(headers) {
		filled := &headersState{}
		g.fillHeaders(filled, headers)
		r.headers = filled
	}

	return g.initBody(r, body, isHalf)
}

// initSignal takes the signal that init gave.
func (g *Global) initSignal(r *Request, signal goja.Value) {
	switch {
	case !realm.Given(signal):
	case goja.IsNull(signal):
		r.source = nil
	default:
		g.IsAborted(signal) // it throws for what is no signal
		r.source = signal
	}
}

// initBody takes the body that init gave, and reports whether there is one.
func (g *Global) initBody(r *Request, body goja.Value, isHalf bool) bool {
	if realm.IsNothing(body) {
		return false
	}
	if r.method == "GET" || r.method == "HEAD" {
		panic(g.VM.NewTypeError("a %s request cannot have a body", r.method))
	}

	r.body = bodyState{}
	contentType := g.setBody(&r.body, body)
	if r.body.isStreaming() && !isHalf {
		panic(g.VM.NewTypeError(`a body that is a stream needs duplex: "half"`))
	}
	if r.body.isStreaming() && r.opts().keepalive {
		panic(g.VM.NewTypeError("a request with keepalive cannot have a stream as its body"))
	}
	if contentType != "" {
		r.headers.setDefaultType(contentType)
	}

	return true
}

// referrer is what the attribute says of a referrer that init gave.
func (g *Global) referrer(text string) string {
	if text == "" {
		return ""
	}
	u, err := parseURL(text, g.baseURL())
	if err != nil {
		panic(g.VM.NewTypeError("the referrer %q is not a valid URL", realm.Clip(text)))
	}

	if u.Protocol() == "about:" && u.Pathname() == "client" || !g.ofBase(u.Href(false)) {
		return "about:client"
	}
	return u.Href(false)
}

// ofBase reports whether a URL is of the origin of the run's own request.
func (g *Global) ofBase(url string) bool {
	base, err1 := parseURL(g.baseURL(), "")
	u, err2 := parseURL(url, "")
	return err1 == nil && err2 == nil && origin(base) == origin(u) && origin(u) != "null"
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
