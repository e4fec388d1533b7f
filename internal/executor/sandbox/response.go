package sandbox

import (
	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
)

type responseState struct {
	own
	status     int
	statusText string
	url        string
	redirected bool
	headers    *headersState
	headersObj *goja.Object
	body       bodyState
}

func nullBodyStatus(s int) bool { return s == 101 || s == 204 || s == 205 || s == 304 }

func (i *isolate) newResponseClass() class {
	c := i.newClass("Response", func(c goja.ConstructorCall) any {
		r := &responseState{status: 200, headers: &headersState{}}
		i.initResponse(r, c.Argument(1))
		if ct := i.setBody(&r.body, c.Argument(0)); ct != "" {
			i.defaultType(r, ct)
		}
		if nullBodyStatus(r.status) && !r.body.null {
			panic(i.vm.NewTypeError("a Response with status %d cannot have a body", r.status))
		}
		return r
	})
	i.define(c.ctor, "json", func(c goja.FunctionCall) goja.Value {
		text, err := i.json.Encode(c.Argument(0))
		if err != nil {
			panic(err)
		}
		if text == nil {
			panic(i.vm.NewTypeError("Response.json: the value has no JSON form"))
		}
		r := &responseState{status: 200, headers: &headersState{}, body: bodyState{bytes: text}}
		i.initResponse(r, c.Argument(1))
		if nullBodyStatus(r.status) {
			panic(i.vm.NewTypeError("a Response with status %d cannot have a body", r.status))
		}
		i.defaultType(r, "application/json")
		return i.instance(i.response, r)
	})
	i.define(c.ctor, "redirect", func(c goja.FunctionCall) goja.Value {
		u, err := parseURL(c.Argument(0).String(), i.baseURL())
		if err != nil {
			panic(i.vm.NewTypeError("Response.redirect: %q is not a valid URL", clip(c.Argument(0).String())))
		}
		status := 302
		if s := c.Argument(1); !goja.IsUndefined(s) {
			status = int(s.ToInteger())
		}
		switch status {
		case 301, 302, 303, 307, 308:
		default:
			i.throw("RangeError", "Response.redirect: the status must be 301, 302, 303, 307 or 308")
		}
		return i.instance(i.response, &responseState{status: status, body: bodyState{null: true},
			headers: &headersState{list: []cloud.Header{{Name: "location", Value: u.Href(false)}}}})
	})
	i.define(c.ctor, "error", func(goja.FunctionCall) goja.Value {
		return i.instance(i.response, &responseState{headers: &headersState{}, body: bodyState{null: true}})
	})
	this := func(v goja.Value) *responseState { return mustState[responseState](i, v, "Response") }
	i.getter(c.proto, "status", func(v goja.Value) goja.Value { return i.vm.ToValue(this(v).status) })
	i.getter(c.proto, "ok", func(v goja.Value) goja.Value {
		return i.vm.ToValue(this(v).status >= 200 && this(v).status <= 299)
	})
	i.getter(c.proto, "statusText", func(v goja.Value) goja.Value { return i.vm.ToValue(this(v).statusText) })
	i.getter(c.proto, "url", func(v goja.Value) goja.Value { return i.vm.ToValue(this(v).url) })
	i.getter(c.proto, "redirected", func(v goja.Value) goja.Value { return i.vm.ToValue(this(v).redirected) })
	i.getter(c.proto, "type", func(v goja.Value) goja.Value {
		if this(v).status == 0 {
			return i.vm.ToValue("error")
		}
		return i.vm.ToValue("default")
	})
	i.getter(c.proto, "headers", func(v goja.Value) goja.Value {
		r := this(v)
		if r.headersObj == nil {
			r.headersObj = i.instance(i.headers, r.headers)
		}
		return r.headersObj
	})
	i.define(c.proto, "clone", func(c goja.FunctionCall) goja.Value {
		r := this(c.This)
		body := i.cloneBody(&r.body, "Response")
		twin := *r
		twin.body = body
		twin.headersObj, twin.own = nil, own{}
		twin.headers = &headersState{list: append([]cloud.Header(nil), r.headers.list...)}
		return i.instance(i.response, &twin)
	})
	i.addBody(c.proto, func(v goja.Value) (*bodyState, *headersState) { return &this(v).body, this(v).headers })
	return c
}

func (i *isolate) initResponse(r *responseState, v goja.Value) {
	init, ok := v.(*goja.Object)
	if !ok {
		return
	}
	if s := init.Get("status"); s != nil && !goja.IsUndefined(s) {
		r.status = int(s.ToInteger())
		if r.status < 200 || r.status > 599 {
			i.throw("RangeError", "the status of a Response must be from 200 to 599")
		}
	}
	if s := init.Get("statusText"); s != nil && !goja.IsUndefined(s) {
		r.statusText = s.String()
	}
	i.fillHeaders(r.headers, init.Get("headers"))
}

func (i *isolate) defaultType(r *responseState, contentType string) {
	if _, has := r.headers.get("content-type"); !has {
		r.headers.list = append(r.headers.list, cloud.Header{Name: "content-type", Value: contentType})
	}
}

func (i *isolate) baseURL() string {
	if i.cur != nil && i.cur.msg.Request != nil {
		return i.cur.msg.Request.URL
	}
	return ""
}

// responseOf turns what a handler returned into a response: a Response, text, JSON, or nothing.
func (i *isolate) responseOf(v goja.Value) *cloud.Response {
	if v == nil || goja.IsUndefined(v) {
		return &cloud.Response{Status: 204}
	}
	if r := stateOf[responseState](v); r != nil {
		if i.isUsed(&r.body) {
			panic(i.vm.NewTypeError("the returned Response's body has already been read"))
		}
		if r.status == 0 {
			panic(i.vm.NewTypeError("the handler returned Response.error()"))
		}
		return &cloud.Response{Status: r.status, Headers: r.headers.list, Body: r.body.bytes}
	}
	if s, ok := v.(goja.String); ok {
		return &cloud.Response{Status: 200, Body: engine.UTF8(s.String()),
			Headers: []cloud.Header{{Name: "content-type", Value: "text/plain;charset=UTF-8"}}}
	}
	text, err := i.json.Encode(v)
	if err != nil {
		panic(err)
	}
	if text == nil {
		panic(i.vm.NewTypeError("the handler returned a value that has no JSON form; " +
			"return a Response, a JSON value, a string or undefined"))
	}
	return &cloud.Response{Status: 200, Body: text,
		Headers: []cloud.Header{{Name: "content-type", Value: "application/json"}}}
}
