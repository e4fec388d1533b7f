package webcrypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/pbkdf2"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// noLength asks for all that a derivation gives.
const noLength = -1

// deriveBits is (algorithm, key, number of bits, or null).
func (s *subtleCrypto) deriveBits(c goja.FunctionCall) goja.Value {
	a := s.algorithm(c.Argument(0), "deriveBits")
	bits := noLength
	if given := c.Argument(2); !realm.IsNothing(given) {
		bits = int(uint32(given.ToInteger())) // unsigned long of Web IDL
	}

	k := s.usable(c.Argument(1), a, "deriveBits")
	return s.buffer(s.derive(a, k, bits))
}

// deriveKey is (algorithm, key, algorithm of the new key, extractable, usages).
func (s *subtleCrypto) deriveKey(c goja.FunctionCall) goja.Value {
	a := s.algorithm(c.Argument(0), "deriveKey")
	to := s.algorithm(c.Argument(2), "keyLength")
	usages := s.usages(c.Argument(4))
	k := s.usable(c.Argument(1), a, "deriveKey")

	bits := noLength
	if to.name != "PBKDF2" && to.name != "HKDF" {
		bits = s.secretBits(to)
	}

	return s.wrap(s.secret(to, s.derive(a, k, bits), c.Argument(3).ToBoolean(), usages))
}

// derive makes so many bits of a key.
func (s *subtleCrypto) derive(a algorithm, k *cryptoKey, bits int) []byte {
	if a.name == "ECDH" || a.name == "X25519" {
		secret := s.agree(a, k)
		if bits == noLength {
			return secret
		}
		if bits > 8*len(secret) {
			s.fail("OperationError", "%s gives %d bits", a.name, 8*len(secret))
		}
		return firstBits(secret, bits)
	}

	if bits == noLength || bits%8 != 0 {
		s.fail("OperationError", "the length must be a number of bits that makes whole bytes")
	}
	if bits/8 > maxDerived {
		s.fail("OperationError", "at most %d bytes can be derived at once", maxDerived)
	}

	secret, _ := k.material.([]byte)
	if a.name == "HKDF" {
		return s.expand(a, secret, bits/8)
	}
	return s.stretch(a, secret, bits/8)
}

// agree is what two pairs have in common, by one's private and the other's public key.
func (s *subtleCrypto) agree(a algorithm, k *cryptoKey) []byte {
	given := a.get("public")
	if goja.IsUndefined(given) {
		panic(s.r.VM.NewTypeError("the algorithm %s needs public", a.name))
	}

	other := s.keyOf(given)
	if k.kind != "private" || other.kind != "public" || other.name != k.name || other.curve != k.curve {
		s.fail("InvalidAccessError", "public must be a public key of the same algorithm and curve")
	}

	var private *ecdh.PrivateKey
	var public *ecdh.PublicKey
	var err error
	if a.name == "X25519" {
		private, _ = k.material.(*ecdh.PrivateKey)
		public, _ = other.material.(*ecdh.PublicKey)
	} else {
		mine, _ := k.material.(*ecdsa.PrivateKey)
		private, err = mine.ECDH()
		s.check(err)
		theirs, _ := other.material.(*ecdsa.PublicKey)
		public, err = theirs.ECDH()
		s.check(err)
	}

	secret, err := private.ECDH(public)
	s.check(err) // of X25519: a point of low order gives nothing but zeros
	return secret
}

// expand makes n bytes by HKDF.
func (s *subtleCrypto) expand(a algorithm, secret []byte, n int) []byte {
	newHash, _ := s.newHash(s.hashOf(a))
	salt := s.bytes(a.get("salt"), "salt")
	info := s.bytes(a.get("info"), "info")

	out, err := hkdf.Key(newHash, secret, salt, string(info), n)
	s.check(err)
	return realm.NotNil(out)
}

// stretch makes n bytes by PBKDF2.
func (s *subtleCrypto) stretch(a algorithm, secret []byte, n int) []byte {
	newHash, _ := s.newHash(s.hashOf(a))
	salt := s.bytes(a.get("salt"), "salt")
	rounds := int(s.number(a, "iterations", unsignedLong))
	if rounds == 0 {
		s.fail("OperationError", "iterations must be at least 1")
	}

	size := newHash().Size()
	if blocks := (n + size - 1) / size; rounds > maxPBKDF2/max(blocks, 1) {
		s.fail("NotSupportedError", "iterations must be at most %d here", maxPBKDF2/max(blocks, 1))
	}
	if n == 0 {
		return []byte{}
	}

	out, err := pbkdf2.Key(newHash, string(secret), salt, rounds, n)
	s.check(err)
	return out
}
