package sandbox

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// refusalCase is a script that is refused, and where and why. Parts of why are separated by "|".
type refusalCase struct {
	source       string
	line, column int
	want         string
}

func testRefusals(t *testing.T, cases []refusalCase) {
	t.Helper()

	for _, c := range cases {
		t.Run(c.source, func(t *testing.T) {
			t.Parallel()
			out := bundle(&wire.CompileMsg{Name: "main", Language: "typescript", Source: c.source, Modules: map[string]cloud.Module{
				"greetings": {Language: "typescript", Source: "export const greet = (x: string) => x"},
			}})
			if out.Error == nil {
				t.Fatalf("is taken: %.300s", out.Code)
			}
			if out.Error.Line != c.line || out.Error.Column != c.column {
				t.Errorf("is refused at %d:%d, want %d:%d", out.Error.Line, out.Error.Column, c.line, c.column)
			}

			for _, part := range strings.Split(c.want, "|") {
				if !strings.Contains(out.Error.Message, part) {
					t.Errorf("%q has no %q", out.Error.Message, part)
				}
			}
		})
	}
}

// An import of what is not there is answered with what to write instead.
func TestImportAdvice(t *testing.T) {
	t.Parallel()

	const end = "; export default () => x"
	testRefusals(t, []refusalCase{
		{"import x from 'hono'" + end, 1, 15, `cannot import "hono"|bundle packages into the script|--format=esm`},
		{"import x from 'node:net'" + end, 1, 15, `"node:net" is a module of Node.js|use fetch`},
		{"import x from 'zlib'" + end, 1, 15, `"zlib" is a module of Node.js|CompressionStream`},
		{"import x from 'node:http'" + end, 1, 15, "export default { fetch }"},
		{"import x from 'fs'" + end, 1, 15, "keep data in kv"},
		{"import x from 'node:fs/promises'" + end, 1, 15, "keep data in kv"},
		{"import x from 'node:wasi'" + end, 1, 15, "no counterpart"},
		{"import x from 'cloudflare:workers'" + end, 1, 15, `from "picloud"`},
		{"import x from 'https://esm.sh/hono'" + end, 1, 15, "nothing is downloaded|bundle"},
		{"import x from 'npm:hono'" + end, 1, 15, "nothing is downloaded"},
		{"import x from '../greetings'" + end, 1, 15, `side by side|"./name"`},
		{"import x from './lib/greetings'" + end, 1, 15, `side by side|"./name"`},
		{"import x from './data.json'" + end, 1, 15, "export default { ... }"},
		{"import x from './page.html'" + end, 1, 15, "put the text into a module script"},
		{"import x from './greetings.mjs'" + end, 1, 15, `as "./greetings"`},
		{"import x from './nowhere'" + end, 1, 15, `no module named "nowhere"|kind "module"`},
		{"import { kvs } from 'picloud'; export default () => kvs", 1, 10, `"picloud" has no export "kvs"; it exports kv, log, deadLetters, env`},
		{"import { greet, greets } from './greetings'; export default () => greets", 1, 17, `the module greetings.ts has no export "greets"`},
		{"export default () => { return <div className='a' /> }", 1, 36, ""},
		{"class A { constructor(@inject a) {} }; export default () => 1", 1, 23, "experimentalDecorators|standard"},
	})
}

// The place of what the engine refuses is that of the author's file.
func TestRefusalPlaces(t *testing.T) {
	t.Parallel()

	testRefusals(t, []refusalCase{
		{"\n\nexport default { fetch() { const r = /(?(a)b)(/; return r } }", 3, 38, "Invalid regular expression"},
		{"\n\nexport default { fetch() { const {b:[c.d=5]=[]}={}; return c } }", 3, 39, ""},
		{"import { greet } from './greetings';\nconst ä = greet('ü'), r = /a(?<=\\1(?<n>b)(?<n>c))/;\nexport default () => r", 2, 27, "Invalid regular expression"},
	})
}

// What import() asks for is looked for when it is called.
func TestDynamicImport(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{source: `const load = () => import('node:dgram').catch(() => null); export default { fetch() { return 'never calls load' } }`, want: `"never calls load"`},
		{source: `const load = () => import('node:dgram').catch((e) => e.message); export default { fetch() { return load() } }`, want: `"\"node:dgram\" is a module of Node.js, which scripts do not have: there are no sockets; use fetch"`},
		{source: `const m = '@opentelemetry/api'; const load = () => import(m).catch((e) => e.name + e.message.slice(0, 35)); export default { fetch() { return load() } }`, want: `"TypeErrorcannot import \"@opentelemetry/api\":"`},
		{source: `export default { async fetch() { const { kv, log } = await import('picloud'); const n = 'picloud'; const again = await import(n); return [typeof kv.collection, typeof log.info, again.kv === kv] } }`, want: `["function","function",true]`},
		{source: `export default { async fetch() { try { await import('./nowhere') } catch (e) { return e.message } } }`, want: `"this app has no module named \"nowhere\": deploy a script of that name with kind \"module\" first"`},
		{source: `let r; try { r = require('fs').readFile } catch (e) { r = e.message } export default { fetch() { return r } }`, want: `"\"fs\" is a module of Node.js, which scripts do not have: there are no files; keep data in kv"`},
		{source: `import picloud, * as all from 'picloud'; export default { fetch() { return [typeof picloud.kv, all.env === picloud.env, all.nothing === undefined, typeof all.KvError] } }`, want: `["object",true,true,"function"]`},
	})
}

// A module can be imported when it is needed.
func TestDynamicImportOfModule(t *testing.T) {
	t.Parallel()

	out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Source: "export default { fetch: async () => (await import('./late')).default }", Modules: map[string]cloud.Module{
		"late": {Language: "typescript", Source: "globalThis.count = (globalThis.count ?? 0) + 1; const n: number = globalThis.count; export default n"},
	}})
	if out.Error != nil || len(out.Imports) != 1 || out.Imports[0] != "late" {
		t.Fatalf("%+v, imports %v", out.Error, out.Imports)
	}
}

// Syntax that the engine does not take is lowered, and names stay what they were.
func TestLoweredSyntax(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{expr: `(() => { const { b: [c = 5] = [] } = {}; let { d: { e = 1 } = {} } = { d: { e: 2 } }; var [{ f: [g = 3] = [] } = {}] = []; return [c, e, g] })()`, want: `[5,2,3]`},
		{expr: `(({ items: [first = 1] = [] }, [{ a: [b = 2] = [] }] = [{}]) => [first, b])({ items: [7] })`, want: `[7,2]`},
		{source: `export default { fetch({ a: [b = 1] = [] } = {}) { for (const { c: [d = 4] = [] } of [{}, { c: [5] }]) b += d; return b } }`, want: `10`},
		{source: `class HttpError extends Error { static #n = 0; static status = 500; constructor(m) { super(m); HttpError.status; this.name = this.constructor.name } } export default { fetch() { return [new HttpError('x').name, (class Foo { static x = 1 }).name] } }`, want: `["HttpError","Foo"]`},
		{source: `class A { get; set = 1; static; static async = 2; static static = 3; #p = 4; static #q() { return A.name } q() { return [this.set, A.async, A.static, this.#p, A.#q(), A.name] } } export default { fetch() { return new A().q() } }`, want: `[1,2,3,4,"A","A"]`},
		{source: `function f() {} const g = () => {}; const h = class {}; class K { static { this.at = K.name } static m = () => {} } const o = { a() {}, b: () => {}, c: class { static x = 1 } }; export default { fetch() { return [f, g, h, K, K.m, o.a, o.b, o.c].map((x) => x.name).concat(K.at) } }`, want: `["f","g","h","K","m","a","b","c","K"]`},
		{source: `class A { static #a = 1; static get; static b = A; } export default { fetch() { return [A.name, A.b === A, (class extends A { get }).name, new (class Named extends A { static x = 1; get })().constructor.name] } }`, want: `["A",true,"","Named"]`},
		{source: `class B { x = 1; #y = 2; y() { return this.#y } static has(o) { return #y in o } get #z() { return 3 } z() { return this.#z } accessor w = 5 } export default { fetch() { const b = new B(); return [b.x, b.y(), B.has(b), B.has({}), b.z(), b.w, B.name] } }`, want: `[1,2,true,false,3,5,"B"]`},
		{source: `function dec(v, c) { return c.kind === "class" ? undefined : c.kind === "method" ? function () { return [c.name, v.call(this)] } : v } @dec class D { static s = 1; @dec m() { return D.name } } export default { fetch() { return [new D().m(), D.name] } }`, want: `[["m","D"],"D"]`},
		{source: `enum E { A = 1, B } namespace N { export class C { static n = 1 } } export default { fetch() { return [E[1], E.B, N.C.name] } }`, want: `["A",2,"C"]`},
	})
}

// Two modules may have classes of the same name.
func TestNamesOfModules(t *testing.T) {
	t.Parallel()

	out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Modules: map[string]cloud.Module{
		"other": {Language: "javascript", Source: "export class HttpError extends Error {} export function make() { return 1 } export const arrow = () => 1"},
	}, Source: "import * as other from './other'; class HttpError extends Error {} function make() {} const arrow = () => 2; export default { fetch: () => [HttpError.name, other.HttpError.name, make.name, other.make.name, arrow.name, other.arrow.name] }"})
	if out.Error != nil {
		t.Fatal(out.Error)
	}
	iso, serr := aProgramOf("main", out.Code).isolate(nil, nil)
	if serr != nil {
		t.Fatal(serr)
	}
	v, err := iso.handlers["fetch"](iso.self)
	if err != nil || v.String() != "HttpError,HttpError,make,make,arrow,arrow" {
		t.Errorf("the names are %v, %v", v, err)
	}
	if n := strings.Count(out.Code, "__name("); n > 8 {
		t.Errorf("%d names are kept by a call", n)
	}
}
