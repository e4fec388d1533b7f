// Package webcrypto is crypto.subtle of the Web Cryptography API, over the cryptography of Go's standard
// library. Every method returns a promise; errors are DOMExceptions of the standard's names. It has no keys
// of its own and no storage: a key lives in the object that a script holds.
package webcrypto

import (
	"crypto"
	"crypto/sha1" //nolint:gosec // Web Crypto has it, for what others still use
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// What a call may cost: native code is not interrupted, and the child dies at the run's deadline.
const (
	maxPBKDF2  = 1_000_000 // iterations
	maxRSABits = 4096
	maxDerived = 64 << 10 // bytes that are derived at once
)

// subtleCrypto is crypto.subtle of one realm.
type subtleCrypto struct {
	r   *realm.Realm
	key realm.Class
}

// New makes crypto.subtle of a realm: digests, HMAC, AES-GCM, AES-CBC, ECDSA, Ed25519, RSA, PBKDF2 and
// HKDF. It defines the global classes CryptoKey and SubtleCrypto.
func New(r *realm.Realm) *goja.Object {
	s := &subtleCrypto{r: r, key: r.AbstractClass("CryptoKey")}
	attribute := func(name string, of func(*cryptoKey) goja.Value) {
		r.Getter(s.key.Proto, name, func(v goja.Value) goja.Value {
			return of(realm.MustState[cryptoKey](r, v, "CryptoKey"))
		})
	}
	attribute("type", func(k *cryptoKey) goja.Value { return r.VM.ToValue(k.kind) })
	attribute("extractable", func(k *cryptoKey) goja.Value { return r.VM.ToValue(k.extractable) })
	attribute("usages", func(k *cryptoKey) goja.Value { return r.Strings(k.usages) })
	attribute("algorithm", s.algorithmOf)

	class := r.AbstractClass("SubtleCrypto")
	for name, f := range map[string]func(goja.FunctionCall) goja.Value{
		"digest":      s.digest,
		"importKey":   s.importKey,
		"exportKey":   s.exportKey,
		"generateKey": s.generateKey,
		"sign":        s.sign,
		"verify":      s.verify,
		"encrypt":     s.encrypt,
		"decrypt":     s.decrypt,
		"deriveBits":  s.deriveBits,
		"deriveKey":   s.deriveKey,
	} {
		r.Define(class.Proto, name, func(c goja.FunctionCall) goja.Value {
			return r.Settled(func() goja.Value { return f(c) })
		})
	}

	return r.Singleton(class)
}

// fail throws a DOMException of a name.
func (s *subtleCrypto) fail(name, format string, args ...any) {
	panic(s.r.DOMException(name, format, args...))
}

// check throws an OperationError without the cause, which could reveal something about a secret.
func (s *subtleCrypto) check(err error) {
	if err != nil {
		s.fail("OperationError", "the operation failed")
	}
}

// bytes copies an ArrayBuffer or a view of one; what is neither throws a TypeError that names what.
func (s *subtleCrypto) bytes(v goja.Value, what string) []byte {
	raw, ok := s.r.BytesOf(v)
	if !ok {
		panic(s.r.VM.NewTypeError("%s must be an ArrayBuffer or a view of one", what))
	}
	return raw
}

func (s *subtleCrypto) buffer(b []byte) goja.Value { return s.r.VM.ToValue(s.r.VM.NewArrayBuffer(b)) }

// algorithm is a normalised AlgorithmIdentifier.
type algorithm struct {
	name   string
	params *goja.Object // nil if only a name was given
}

// algorithmNames are the names in the standard's spelling.
var algorithmNames = []string{
	"SHA-1", "SHA-256", "SHA-384", "SHA-512", "HMAC", "AES-GCM", "AES-CBC", "ECDSA", "Ed25519",
	"RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP", "PBKDF2", "HKDF",
}

// canonical spells a name as the standard does, which compares them without case; an unknown one stays as
// it is.
func canonical(name string) string {
	for _, n := range algorithmNames {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return name
}

// algorithm reads an AlgorithmIdentifier: a name, or an object that has one.
func (s *subtleCrypto) algorithm(v goja.Value) algorithm {
	params, ok := v.(*goja.Object)
	if !ok {
		return algorithm{name: canonical(v.String())}
	}
	name := params.Get("name")
	if !realm.Given(name) {
		panic(s.r.VM.NewTypeError("an algorithm needs a name"))
	}

	return algorithm{canonical(name.String()), params}
}

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

// hashOf is the name of the hash that an algorithm is used with.
func (s *subtleCrypto) hashOf(a algorithm) string {
	h := a.get("hash")
	if goja.IsUndefined(h) {
		panic(s.r.VM.NewTypeError("the algorithm %s needs a hash", a.name))
	}

	name := s.algorithm(h).name
	s.newHash(name) // throws if there is none
	return name
}

// newHash is a hash by the standard's name; an unknown one throws a NotSupportedError.
func (s *subtleCrypto) newHash(name string) (func() hash.Hash, crypto.Hash) {
	switch name {
	case "SHA-1":
		return sha1.New, crypto.SHA1
	case "SHA-256":
		return sha256.New, crypto.SHA256
	case "SHA-384":
		return sha512.New384, crypto.SHA384
	case "SHA-512":
		return sha512.New, crypto.SHA512
	}

	s.fail("NotSupportedError", "the hash %s is not supported", realm.Clip(name))
	return nil, 0
}

func (s *subtleCrypto) sum(name string, data []byte) ([]byte, crypto.Hash) {
	newHash, id := s.newHash(name)
	h := newHash()
	_, _ = h.Write(data)
	return h.Sum(nil), id
}

func (s *subtleCrypto) digest(c goja.FunctionCall) goja.Value {
	sum, _ := s.sum(s.algorithm(c.Argument(0)).name, s.bytes(c.Argument(1), "the data"))
	return s.buffer(sum)
}
