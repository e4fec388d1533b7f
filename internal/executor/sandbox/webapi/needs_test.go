package webapi

import (
	"testing"
)

// What code names decides what is loaded for it: too little would break it.
func TestNeeds(t *testing.T) {
	t.Parallel()

	is := map[string]func(code string) bool{"web": streamNames.In, "intl": intlNames.In, "events": eventNames.In, "legacy": func(code string) bool { return NeedsOf(code).LegacyRegExp }, "clone": cloneNames.In, "repairs": func(code string) bool { return needsMissingECMAScript(code) || additionsOf(code) != 0 }}
	for _, c := range []struct {
		code string
		want []string
	}{
		{"", nil}, {"somebody(antibody, $self)", nil}, {"export default () => 1", nil}, {"new Uint8ArrayBuffer", []string{"repairs"}},
		{"r.body", []string{"web"}}, {"body", []string{"web"}}, {"r.bodyUsed", []string{"web"}}, {"antibody.body", []string{"web"}}, {"new Blob", []string{"web"}},
		{"globalThis['ReadableStream']", []string{"web"}}, {"$File", []string{"web"}}, {"xFile", nil},
		{"Intl.Collator", []string{"intl"}}, {"x=Intl", []string{"intl"}}, {"MyIntl", nil}, {"Intl_", nil}, {"d.toLocaleString()", []string{"intl"}},
		{"r.signal", []string{"events"}}, {"signals", nil}, {"signals, signal", []string{"events"}}, {"onerror = f", []string{"events"}}, {"onerrors", nil},
		{"new CustomEvent", []string{"events"}}, {"performance.now()", []string{"events"}},
		{"RegExp.$1", []string{"legacy"}}, {"const { $9: x } = RegExp", []string{"legacy"}}, {"RegExp[name]", []string{"legacy"}}, {"RegExp.lastMatch", []string{"legacy"}},
		{`RegExp.$_`, []string{"legacy"}}, {"x.input", nil}, {`s.replace(/a/, "$1")`, nil}, {"new RegExp(s).input", []string{"legacy"}}, {"new RegExp(s)", nil},
		{"function* g() {}", []string{"repairs"}}, {"function  \n* g() {}", []string{"repairs"}}, {"function g() {} * 2", nil},
		{"*g() { yield 1 }", []string{"repairs"}}, {"yields", nil}, {"Iterator.from", []string{"repairs"}}, {"Symbol.asyncIterator", []string{"repairs"}},
		{"structuredClone(x)", []string{"clone"}}, {"r.clone()", []string{"clone"}}, {"cloned", nil}, {"p.postMessage(1)", []string{"clone"}},
		{"m.keys()", []string{"repairs"}}, {"Object.keys(o)", []string{"repairs"}}, {"m.keysOf()", nil}, {"Symbol.dispose", []string{"repairs"}},
	} {
		want := map[string]bool{}
		for _, w := range c.want {
			want[w] = true
		}

		for name, in := range is {
			if in(c.code) != want[name] {
				t.Errorf("%q needs %s: %t, want %t", c.code, name, !want[name], want[name])
			}
		}
	}
}
