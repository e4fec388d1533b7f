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

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// What a call may cost: native code is not interrupted, and the child dies at the run's deadline.
const (
	maxPBKDF2  = 4_000_000 // iterations, over all blocks of what is derived
	maxRSABits = 4096
	maxDerived = 64 << 10 // bytes that are derived at once
)

// subtleCrypto is crypto.subtle of one realm.
type subtleCrypto struct {
	r   *realm.Realm
	key realm.Class
}

// New makes crypto.subtle of a realm, with what the table algorithms has. It defines the global classes
// CryptoKey and SubtleCrypto.
func New(r *realm.Realm) *goja.Object {
	s := &subtleCrypto{r: r, key: r.AbstractClass("CryptoKey")}
	attribute := func(name string, of func(*cryptoKey) goja.Value) {
		r.Getter(s.key.Proto, name, func(v goja.Value) goja.Value {
			return of(realm.MustState[cryptoKey](r, v, "CryptoKey"))
		})
	}
	attribute("type", func(k *cryptoKey) goja.Value { return r.VM.ToValue(k.kind) })
	attribute("extractable", func(k *cryptoKey) goja.Value { return r.VM.ToValue(k.extractable) })
	attribute("usages", s.usagesOf)
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
		"wrapKey":     s.wrapKey,
		"unwrapKey":   s.unwrapKey,
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
	sum, _ := s.sum(s.algorithm(c.Argument(0), "digest").name, s.bytes(c.Argument(1), "the data"))
	return s.buffer(sum)
}
