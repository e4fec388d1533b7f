package webcrypto

import (
	"math"
	"slices"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// registered is what the standard has of an algorithm: the operations that know it, what its keys are for,
// and the use that a JSON Web Key of it may name.
type registered struct {
	name       string
	operations string // separated by spaces
	single     string // usages of a secret key; of an algorithm with pairs it is empty
	private    string // usages of a pair's private key
	public     string // usages of a pair's public key
	jwkUse     string
}

// What several algorithms have in common.
const (
	signs    = "sign verify generateKey importKey exportKey"
	ciphers  = "encrypt decrypt wrapKey unwrapKey generateKey importKey exportKey keyLength"
	agrees   = "deriveBits deriveKey generateKey importKey exportKey"
	derives  = "deriveBits deriveKey importKey keyLength"
	forData  = "encrypt decrypt wrapKey unwrapKey"
	forMaker = "deriveKey deriveBits"
)

// algorithms are those of the standard that are there (Web Cryptography API, 18.2; the secure curves, 2).
var algorithms = []registered{
	{name: "SHA-1", operations: "digest"},
	{name: "SHA-256", operations: "digest"},
	{name: "SHA-384", operations: "digest"},
	{name: "SHA-512", operations: "digest"},
	{name: "HMAC", operations: signs + " keyLength", single: "sign verify", jwkUse: "sig"},
	{name: "AES-CTR", operations: ciphers, single: forData, jwkUse: "enc"},
	{name: "AES-CBC", operations: ciphers, single: forData, jwkUse: "enc"},
	{name: "AES-GCM", operations: ciphers, single: forData, jwkUse: "enc"},
	{
		name: "AES-KW", operations: "wrapKey unwrapKey generateKey importKey exportKey keyLength",
		single: "wrapKey unwrapKey", jwkUse: "enc",
	},
	{name: "PBKDF2", operations: derives, single: forMaker},
	{name: "HKDF", operations: derives, single: forMaker},
	{name: "ECDSA", operations: signs, private: "sign", public: "verify", jwkUse: "sig"},
	{name: "Ed25519", operations: signs, private: "sign", public: "verify", jwkUse: "sig"},
	{name: "ECDH", operations: agrees, private: forMaker, jwkUse: "enc"},
	{name: "X25519", operations: agrees, private: forMaker, jwkUse: "enc"},
	{name: "RSASSA-PKCS1-v1_5", operations: signs, private: "sign", public: "verify", jwkUse: "sig"},
	{name: "RSA-PSS", operations: signs, private: "sign", public: "verify", jwkUse: "sig"},
	{
		name: "RSA-OAEP", operations: "encrypt decrypt wrapKey unwrapKey generateKey importKey exportKey",
		private: "decrypt unwrapKey", public: "encrypt wrapKey", jwkUse: "enc",
	},
}

// algorithm is a normalised AlgorithmIdentifier.
type algorithm struct {
	registered
	params *goja.Object // nil if only a name was given
}

// algorithm reads an AlgorithmIdentifier, a name or an object that has one, for an operation. A name that the
// operation does not know throws a NotSupportedError. The standard compares names without case.
func (s *subtleCrypto) algorithm(v goja.Value, operation string) algorithm {
	params, isObject := v.(*goja.Object)
	name := v
	if isObject {
		name = params.Get("name")
		if !realm.Given(name) {
			panic(s.r.VM.NewTypeError("an algorithm needs a name"))
		}
	}

	text := name.String()
	for _, a := range algorithms {
		if strings.EqualFold(a.name, text) && has(a.operations, operation) {
			return algorithm{a, params}
		}
	}

	s.fail("NotSupportedError", "the algorithm %s is not supported by %s", realm.Clip(text), operation)
	return algorithm{}
}

// has reports whether a list of words separated by spaces has one.
func has(list, word string) bool { return slices.Contains(strings.Fields(list), word) }

// get is a parameter, or undefined.
func (a algorithm) get(name string) goja.Value {
	if a.params == nil {
		return goja.Undefined()
	}
	if v := a.params.Get(name); v != nil {
		return v
	}
	return goja.Undefined()
}

func (a algorithm) isRSA() bool { return strings.HasPrefix(a.name, "RSA") }
func (a algorithm) isAES() bool { return strings.HasPrefix(a.name, "AES") }
func (a algorithm) isEC() bool  { return a.name == "ECDSA" || a.name == "ECDH" }

// number reads a parameter that is an integer from 0 to most (Web IDL, [EnforceRange]); anything else throws
// a TypeError.
func (s *subtleCrypto) number(a algorithm, name string, most float64) int64 {
	v := a.get(name)
	if goja.IsUndefined(v) {
		panic(s.r.VM.NewTypeError("the algorithm %s needs %s", a.name, name))
	}

	f := math.Trunc(v.ToFloat())
	if !(f >= 0 && f <= most) {
		panic(s.r.VM.NewTypeError("%s must be a number from 0 to %.0f", name, most))
	}
	return int64(f)
}

// Bounds of the integers of Web IDL.
const (
	octet        = math.MaxUint8
	unsignedLong = math.MaxUint32
)

// hashOf is the name of the hash that an algorithm is used with.
func (s *subtleCrypto) hashOf(a algorithm) string {
	h := a.get("hash")
	if goja.IsUndefined(h) {
		panic(s.r.VM.NewTypeError("the algorithm %s needs a hash", a.name))
	}
	return s.algorithm(h, "digest").name
}

// curveOf is the name of the curve that an algorithm is used with.
func (s *subtleCrypto) curveOf(a algorithm) string {
	name := a.get("namedCurve")
	if goja.IsUndefined(name) {
		panic(s.r.VM.NewTypeError("the algorithm %s needs a namedCurve", a.name))
	}
	s.curve(name.String()) // throws if there is none
	return name.String()
}
