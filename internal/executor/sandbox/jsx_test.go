package sandbox

import (
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// JSX is taken with a comment that says what makes its elements, in a script and in its modules.
func TestJSX(t *testing.T) {
	t.Parallel()

	modules := map[string]cloud.Module{
		"h":      {Language: "typescript", Source: "export const h = (tag, props, ...children) => [tag, props, children]; export const F = 'frag'"},
		"jsx":    {Language: "typescript", Source: "export const jsx = (tag, props) => [tag, props], jsxs = jsx, Fragment = 'frag'"},
		"button": {Language: "typescript", Source: "/** @jsx h */\nimport { h } from './h'; export const Button = (text: string) => <button>{text}</button>"},
	}

	for _, c := range []struct{ language, source, want string }{
		{"javascript", "/** @jsx h */ import { h } from './h'; export default () => <p id='a'>{1}b</p>", `["p",{"id":"a"},[1,"b"]]`},
		{"typescript", "/* @jsx h @jsxFrag F */\nimport { h, F } from './h'; export default () => (<><b/></> as unknown)", `["frag",null,[["b",null,[]]]]`},
		{"typescript", "/** @jsxImportSource ./jsx */\nexport default () => <p id='a'>{1}<i/></p>", `["p",{"id":"a","children":[1,["i",{}]]}]`},
		{"javascript", "// @jsxImportSource ./jsx\nexport default () => <><p/></>", `["frag",{"children":["p",{}]}]`},
		{"typescript", "/**\n * A page.\n * @jsxImportSource ./jsx\n */\nimport { Button } from './button'; export default () => [<a/>, Button('x')]", `[["a",{}],["button",null,["x"]]]`},
		{"typescript", "/**\n * @jsx h\n * @jsxFrag F\n */\nimport { h, F } from './h'; export default () => <><b/></>", `["frag",null,[["b",null,[]]]]`},
		{"typescript", "const id = <T>(x: T) => x; export default () => [id(<string>'a'), '@jsx h']", `["a","@jsx h"]`},
	} {
		out := bundle(&wire.CompileMsg{Name: "main", Language: c.language, Source: c.source, Modules: modules})
		if out.Error != nil {
			t.Errorf("%s: %s", c.source, out.Error.Message)
			continue
		}
		iso, serr := aProgramOf("main", out.Code).isolate(nil, nil)
		if serr != nil {
			t.Errorf("%s: %s", c.source, serr.Message)
			continue
		}
		v, err := iso.handlers["fetch"](iso.self)
		if got := settledText(iso, v, err); got != c.want {
			t.Errorf("%s gives %s, want %s", c.source, got, c.want)
		}
	}

	for source, want := range map[string]string{
		"export default () => <p/>":                                  howToJSX,
		"export default () => <p>a b</p>":                            howToJSX,
		"/** @jsxImportSource hono/jsx */ export default () => <p/>": notImportable("hono/jsx/jsx-runtime"),
	} {
		for _, language := range []string{"javascript", "typescript"} {
			out := bundle(&wire.CompileMsg{Name: "main", Language: language, Source: source})
			if out.Error == nil || out.Error.Message != want {
				t.Errorf("%s in %s: %+v, want %q", source, language, out.Error, want)
			}
		}
	}
}
