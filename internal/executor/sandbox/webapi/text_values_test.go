package webapi

import "testing"

// Texts, bytes and dates, in what the engine and our own code had wrong of them.
func TestTextValues(t *testing.T) {
	t.Parallel()

	const caught = `const caught = (f) => { try { return f() } catch (e) { return e.name } }; `
	for script, want := range map[string]string{
		// base64
		`["a", "ab=", "YQ=", "=", "YQ===", "Y=Q=", "YQ==YQ==", "\u00a0YQ==", "YQ==\v"].map((s) => caught(() => atob(s)))`: "InvalidCharacterError,InvalidCharacterError," +
			"InvalidCharacterError,InvalidCharacterError,InvalidCharacterError,InvalidCharacterError,InvalidCharacterError,InvalidCharacterError,InvalidCharacterError",
		`["", " \t\n\f\r", "YQ==", "YQ", " Y\nQ = = ", "YWI=", "YWI", "ab", "AAA/"].map((s) => btoa(caught(() => atob(s))))`: ",,YQ==,YQ==,YQ==,YWI=,YWI=,aQ==,AAA/",
		`[atob.length, caught(() => atob()), caught(() => btoa()), atob(null).length, btoa(undefined)]`:                      "0,TypeError,TypeError,3,dW5kZWZpbmVk",

		// surrogates
		`["a\ud83d\udca9b".toWellFormed(), "\ud83d\udca9".isWellFormed(), "abc".isWellFormed(), "\u00e9\u20ac".toWellFormed()]`:                                          "a💩b,true,true,é€",
		`["\ud83d", "\udca9\ud83d", "\ud83d\ud83d\udca9", "a\udca9"].map((s) => [s.isWellFormed(), s.toWellFormed()])`:                                                   "false,\ufffd,false,\ufffd\ufffd,false,\ufffd💩,false,a\ufffd",
		`[String.prototype.isWellFormed.call(5), caught(() => String.prototype.toWellFormed.call(null)), "".isWellFormed.length, "".toWellFormed.name]`:                  "true,TypeError,0,toWellFormed",
		`[...new TextEncoder().encode("\ud800\ud800a\udc00")]`:                                                                                                           "239,191,189,239,191,189,97,239,191,189",
		`const r = new TextEncoder().encodeInto("a\u20ac\ud83d\udca9x", new Uint8Array(8)); [r.read, r.written]`:                                                         "4,8",
		`const r = new TextEncoder().encodeInto("a\u20ac\ud83d\udca9", new Uint8Array(7)); [r.read, r.written]`:                                                          "2,4",
		`const b = new Uint8Array(3); const r = new TextEncoder().encodeInto("\ud83d", b); [r.read, r.written, ...b]`:                                                    "1,3,239,191,189",
		`[[], new Uint16Array(2), new ArrayBuffer(2), null].map((v) => caught(() => new TextEncoder().encodeInto("a", v)))`:                                              "TypeError,TypeError,TypeError,TypeError",
		`const d = new TextDecoder("utf-8", {fatal: true}); d.decode(new Uint8Array([0xe2]), {stream: true}); caught(() => d.decode()) + d.decode(new Uint8Array([65]))`: "TypeErrorA",

		// decoders
		`new TextDecoder("iso-8859-2", {fatal: true}).decode(new Uint8Array([128])).charCodeAt()`:                                                                                                                                                                      "128",
		`[new TextDecoder("windows-874", {fatal: true}).decode(new Uint8Array([0x81])).charCodeAt(), caught(() => new TextDecoder("windows-874", {fatal: true}).decode(new Uint8Array([0xdb])))]`:                                                                      "129,TypeError",
		`["\vutf-8", "utf-8\v", "\u00a0utf-8", "utf-8\u2028", "", "replacement", "iso-2022-kr", "utf-7"].map((l) => caught(() => new TextDecoder(l).encoding))`:                                                                                                        "RangeError,RangeError,RangeError,RangeError,RangeError,RangeError,RangeError,RangeError",
		`[" utf-8\n", "UTF8", "unicode11utf8", "Latin1", "\tsjis ", "ucs-2", "logical"].map((l) => new TextDecoder(l).encoding)`:                                                                                                                                       "utf-8,utf-8,utf-8,windows-1252,shift_jis,utf-16le,iso-8859-8-i",
		`new TextDecoder("gb18030", {fatal: true}).decode(new Uint8Array([0x84, 0x31, 0xa4, 0x37])).charCodeAt()`:                                                                                                                                                      "65533",
		`[new TextDecoder("utf-16le").decode(new Uint8Array([255, 254, 65, 0])), new TextDecoder("utf-16le", {ignoreBOM: true}).decode(new Uint8Array([255, 254, 65, 0])).length, new TextDecoder("gb18030").decode(new Uint8Array([0x84, 0x31, 0x95, 0x33])).length]`: "A,2,1",
		`const d = new TextDecoder("utf-16le"), s = {stream: true}; d.decode(new Uint8Array([255]), s) + d.decode(new Uint8Array([254, 61]), s) + d.decode(new Uint8Array([216, 169]), s) + d.decode(new Uint8Array([220, 255, 254]))`:                                 "💩\ufeff",
		`const d = new TextDecoder("utf-8"), s = {stream: true}; d.decode(new Uint8Array([239, 187, 191]), s) + d.decode(new Uint8Array([239, 187, 191, 65]))`:                                                                                                         "\ufeffA",
		`const d = new TextDecoder("shift_jis", {fatal: true}); [d.decode(new Uint8Array([0x82]), {stream: true}), d.decode(new Uint8Array([0xa0])), caught(() => d.decode(new Uint8Array([0x82]))), d.decode(new Uint8Array([65]))]`:                                  ",あ,TypeError,A",

		// random numbers
		`[new Float32Array(1), new Float64Array(1), new DataView(new ArrayBuffer(1)), new ArrayBuffer(1), [1], null, undefined].map((v) => caught(() => crypto.getRandomValues(v)))`: "TypeMismatchError,TypeMismatchError," +
			"TypeMismatchError,TypeError,TypeError,TypeError,TypeError",
		`[new Uint8ClampedArray(2), new BigInt64Array(1), new Int16Array(2), new Uint8Array(9).subarray(1, 3)].map((v) => crypto.getRandomValues(v) === v)`: "true,true,true,true",
		`[caught(() => crypto.getRandomValues(new Uint8Array(65537))), crypto.getRandomValues(new Uint8Array(65536)).length]`:                               "QuotaExceededError,65536",

		// years before 0
		`new Date(-62198755200000).toISOString() + new Date(-62198755200000).toJSON()`:                                              "-000001-01-01T00:00:00.000Z-000001-01-01T00:00:00.000Z",
		`[-8.64e15, 8.64e15, -62167219200000, 253402300800000].map((t) => new Date(t).toISOString())`:                               "-271821-04-20T00:00:00.000Z,+275760-09-13T00:00:00.000Z,0000-01-01T00:00:00.000Z,+010000-01-01T00:00:00.000Z",
		`[caught(() => new Date(NaN).toISOString()), Date.prototype.toISOString.length, JSON.stringify(new Date(-62198755200000))]`: `RangeError,0,"-000001-01-01T00:00:00.000Z"`,
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()

			g, _ := newGlobal(t)
			g.loadMissingECMAScript()
			v, err := g.VM.RunString(caught + "{" + script + "}")
			if err != nil {
				t.Fatal(err)
			}
			if got := v.String(); got != want {
				t.Errorf("gives %q, want %q", got, want)
			}
		})
	}
}
