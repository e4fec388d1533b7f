package webcrypto_test

import (
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/webapi"
)

// run gives what a script's promise resolves to, or the error it is rejected with. Everything in it is
// resolved when the engine has nothing left to do.
func run(t *testing.T, script string) string {
	t.Helper()

	g := webapi.New(realm.New(1000), webapi.Needs{Subtle: true, MissingECMAScript: true})
	v, err := g.VM.RunString(`
		const subtle = crypto.subtle, text = new TextEncoder().encode("data");
		const hex = (b) => [...new Uint8Array(b)].map((x) => x.toString(16).padStart(2, "0")).join("");
		(async () => { ` + script + ` })()`)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}

	p, _ := realm.AsPromise(v)
	switch p.State() {
	case goja.PromiseStateFulfilled:
		return p.Result().String()
	case goja.PromiseStateRejected:
		e := g.Describe(p.Result(), nil)
		return e.Name + ": " + e.Message
	default:
		return "pending"
	}
}

// What one key of a pair does the other takes back, also after a way through a format, and nothing else
// passes.
func TestRoundTrips(t *testing.T) {
	t.Parallel()

	rsa := `modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256"}`
	for name, c := range map[string]struct{ algorithm, use string }{
		"ECDSA":             {`{name: "ECDSA", namedCurve: "P-256"}`, `{name: "ECDSA", hash: "SHA-256"}`},
		"Ed25519":           {`"Ed25519"`, `"Ed25519"`},
		"RSASSA-PKCS1-v1_5": {`{name: "RSASSA-PKCS1-v1_5", ` + rsa, `"RSASSA-PKCS1-v1_5"`},
		"RSA-PSS":           {`{name: "RSA-PSS", ` + rsa, `{name: "RSA-PSS", saltLength: 32}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := run(t, `
				const algorithm = `+c.algorithm+`, use = `+c.use+`;
				const pair = await subtle.generateKey(algorithm, true, ["sign", "verify"]);
				const signature = await subtle.sign(use, pair.privateKey, text);
				const results = [await subtle.verify(use, pair.publicKey, signature, text)];
				for (const format of ["jwk", "spki"]) {
					const key = await subtle.importKey(format, await subtle.exportKey(format, pair.publicKey), algorithm, true, ["verify"]);
					results.push(await subtle.verify(use, key, signature, text));
				}
				for (const format of ["jwk", "pkcs8"]) {
					const key = await subtle.importKey(format, await subtle.exportKey(format, pair.privateKey), algorithm, true, ["sign"]);
					results.push(await subtle.verify(use, pair.publicKey, await subtle.sign(use, key, text), text));
				}
				results.push(await subtle.verify(use, pair.publicKey, signature, new Uint8Array([1])));
				return results.join()`)
			if got != "true,true,true,true,true,false" {
				t.Errorf("gives %s", got)
			}
		})
	}
}

// What other implementations give for the same input, and what is refused, by which DOMException.
func TestAnswers(t *testing.T) {
	t.Parallel()

	key := func(algorithm, usages string) string {
		return `const key = await subtle.importKey("raw", new Uint8Array(16), ` + algorithm + `, true, ` + usages + `); `
	}
	for script, want := range map[string]string{
		`return hex(await subtle.digest("sha-1", new Uint8Array(0)))`:                                                                            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		key(`{name: "HMAC", hash: "SHA-256"}`, `["sign"]`) + `return hex(await subtle.sign("HMAC", key, new Uint8Array(0)))`:                     "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
		key(`"AES-CBC"`, `["encrypt"]`) + `return hex(await subtle.encrypt({name: "AES-CBC", iv: new Uint8Array(16)}, key, new Uint8Array(0)))`:  "0143db63ee66b0cdff9f69917680151e",
		key(`"AES-GCM"`, `["encrypt"]`) + `return hex(await subtle.encrypt({name: "AES-GCM", iv: new Uint8Array(12)}, key, new Uint8Array(16)))`: "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
		`const key = await subtle.importKey("raw", text, "PBKDF2", false, ["deriveBits"]);
		 return hex(await subtle.deriveBits({name: "PBKDF2", hash: "SHA-256", salt: text, iterations: 2}, key, 64))`: "89f7ec04874a5a6b",
		key(`"AES-GCM"`, `["encrypt"]`) + `return (await subtle.exportKey("jwk", key)).alg + key.algorithm.length + key.usages`: "A128GCM128encrypt",

		key(`"AES-GCM"`, `["encrypt"]`) + `return subtle.decrypt({name: "AES-GCM", iv: new Uint8Array(12)}, key, text)`: "InvalidAccessError: the key is not for decrypt",
		key(`"AES-GCM"`, `["decrypt"]`) + `return subtle.decrypt({name: "AES-GCM", iv: new Uint8Array(12)}, key, text)`: "OperationError: the operation failed",
		key(`"AES-GCM"`, `["encrypt"]`) + `return subtle.encrypt({name: "AES-CBC", iv: new Uint8Array(16)}, key, text)`: "InvalidAccessError: the key is for AES-GCM, not AES-CBC",
		`return subtle.importKey("raw", new Uint8Array(5), "AES-GCM", true, ["encrypt"])`:                               "DataError: an AES key has 16, 24 or 32 bytes",
		`return subtle.importKey("raw", text, "PBKDF2", true, ["deriveBits"])`:                                          "SyntaxError: a key for PBKDF2 is never extractable",
		`return subtle.importKey("jwk", {kty: "OKP", crv: "Ed25519", x: "AA"}, "Ed25519", true, ["verify"])`:            "DataError: a public key of Ed25519 has 32 bytes",
		`return subtle.importKey("other", text, "HMAC", true, ["sign"])`:                                                "NotSupportedError: a key for HMAC cannot be in the format other",
		`return subtle.generateKey({name: "AES-GCM", length: 100}, true, ["encrypt"])`:                                  "OperationError: a key of AES-GCM has 128, 192 or 256 bits",
		`return subtle.generateKey("Ed25519", true, ["verify"])`:                                                        "SyntaxError: a pair of keys needs one of the usages sign",
		`return subtle.generateKey("Ed25519", true, ["fly"])`:                                                           `TypeError: "fly" is no key usage`,
		`return subtle.digest("MD5", text)`:                                                                             "NotSupportedError: the algorithm MD5 is not supported by digest",
		`return subtle.digest("SHA-1", 1)`:                                                                              "TypeError: the data must be an ArrayBuffer or a view of one",
		`return new CryptoKey()`:                                                                                        "TypeError: Illegal constructor",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()

			if got := run(t, script); got != want {
				t.Errorf("gives %q, want %q", got, want)
			}
		})
	}
}
