package realm

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
)

// What an error was caused by follows its stack: bounded, without circles, and whatever its getters do.
func TestCauses(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		script string
		// want are parts of the stack, in this order; never is in it nowhere.
		want  []string
		never string
	}{
		{
			"one of another", `throw new Error("a", {cause: new TypeError("b", {cause: new RangeError("c")})})`,
			[]string{"Error: a\n    at ", "\n[cause]: TypeError: b\n    at ", "\n[cause]: RangeError: c\n    at "}, "",
		},
		{
			"no error", `throw new Error("a", {cause: {code: "E1"}})`,
			[]string{"Error: a\n", "\n[cause]: {\"code\":\"E1\"}"}, "",
		},
		{"null is a cause", `throw new Error("a", {cause: null})`, []string{"\n[cause]: null"}, ""},
		{"undefined is none", `throw new Error("a", {cause: undefined})`, []string{"Error: a\n    at "}, "[cause]"},
		{
			"several", `throw new AggregateError([new Error("x"), "y", 3], "all")`,
			[]string{"AggregateError: all", "\n[errors 0]: Error: x\n", "\n[errors 1]: y", "\n[errors 2]: 3"}, "",
		},
		{
			"of several, with causes", `throw new AggregateError([new Error("x", {cause: new Error("y")})], "all")`,
			[]string{"\n[errors 0]: Error: x\n", "\n[cause]: Error: y\n"}, "",
		},
		{
			"a circle", `const a = new Error("a"), b = new Error("b", {cause: a}); a.cause = b; throw a`,
			[]string{"Error: a\n", "\n[cause]: Error: b\n", "\n[cause]: [circular]"}, "",
		},
		{
			"itself", `const a = new AggregateError([], "a"); a.errors.push(a); throw a`,
			[]string{"\n[errors 0]: [circular]"}, "",
		},
		{
			"a getter that throws", `throw Object.defineProperty(new Error("a"), "cause", {get() { throw new Error("no") }})`,
			[]string{"Error: a\n", "\n[cause]: cannot be described: reading it threw"}, "",
		},
		{
			"a cause that throws when it is read",
			`throw new Error("a", {cause: Object.defineProperty(new Error("b"), "message", {get() { throw 1 }})})`,
			[]string{"Error: a\n", "cannot be described"}, "",
		},
		{
			"a long list", `throw new AggregateError(Array(25).fill(7), "a")`,
			[]string{"\n[errors 0]: 7", "\n[errors 9]: 7", "\n[errors]: 15 more"}, "[errors 10]",
		},
		{
			"a list that lies", `const a = new Error("a"); a.errors = new Proxy([], {get: () => { throw 1 }}); throw a`,
			[]string{"Error: a\n"}, "[errors",
		},
		{"errors that are no list", `throw Object.assign(new Error("a"), {errors: {length: 3}})`, []string{"Error: a\n"}, "[errors"},
		{
			"very deep", `let e = new Error("0"); for (let k = 1; k < 100; k++) e = new Error(String(k), {cause: e}); throw e`,
			[]string{"Error: 99\n", "\n[cause]: Error: 98\n", "\n[cause]: Error: 92\n"}, "Error: 90",
		},
		{
			"a name and message of later", `const b = new Error("old"); b.name = "Mine"; b.message = "new"; throw new Error("a", {cause: b})`,
			[]string{"\n[cause]: Mine: new\n    at "}, "old",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRealm(t)
			_, err := r.VM.RunScript("main.js", "{"+c.script+"}")
			stack := r.ScriptError(err).Stack

			rest := stack
			for _, part := range c.want {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Fatalf("no %q, in this order, in %s", part, stack)
				}
				rest = after
			}
			if c.never != "" && strings.Contains(stack, c.never) {
				t.Errorf("%q in %s", c.never, stack)
			}
		})
	}
}

// However much there is, the text keeps its bound, and so does the work.
func TestCausesAreBounded(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	_, err := r.VM.RunScript("main.js", `{
		const wide = depth => depth ? new AggregateError(Array.from({length: 1000}, () => wide0), "w".repeat(300)) : null;
		const wide0 = new AggregateError(Array(1000).fill(new Error("leaf")), "inner");
		throw wide(1);
	}`)
	stack := r.ScriptError(err).Stack
	if len(stack) > cloud.MaxErrorText+len(cloud.CutMark) || strings.Count(stack, "[errors ") > maxCauses {
		t.Errorf("%d bytes, %d causes", len(stack), strings.Count(stack, "[errors "))
	}

	_, err = r.VM.RunScript("main.js", `throw new Error("a", {cause: new Error("b".repeat(1 << 20))})`)
	if stack := r.ScriptError(err).Stack; len(stack) > cloud.MaxErrorText+len(cloud.CutMark) ||
		!strings.HasSuffix(stack, cloud.CutMark) {
		t.Errorf("%d bytes of a long message", len(stack))
	}
}
