package webcrypto

import (
	"crypto/hkdf"
	"crypto/pbkdf2"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// deriveBits is (algorithm, key, number of bits).
func (s *subtleCrypto) deriveBits(c goja.FunctionCall) goja.Value {
	a := s.algorithm(c.Argument(0))
	k := s.usable(c.Argument(1), a, "deriveBits")
	bits := c.Argument(2).ToInteger()
	if bits <= 0 || bits%8 != 0 {
		s.fail("OperationError", "the length must be a number of bits that makes whole bytes")
	}
	return s.buffer(s.derive(a, k, int(bits/8)))
}

// deriveKey is (algorithm, key, algorithm of the new key, extractable, usages).
func (s *subtleCrypto) deriveKey(c goja.FunctionCall) goja.Value {
	a := s.algorithm(c.Argument(0))
	k := s.usable(c.Argument(1), a, "deriveKey")
	to := s.algorithm(c.Argument(2))
	raw := s.derive(a, k, s.secretLength(to))
	return s.wrap(s.secret(to, raw, c.Argument(3).ToBoolean(), s.usages(c.Argument(4))))
}

// derive makes n bytes of a key for HKDF or PBKDF2.
func (s *subtleCrypto) derive(a algorithm, k *cryptoKey, n int) []byte {
	if n > maxDerived {
		s.fail("OperationError", "at most %d bytes can be derived at once", maxDerived)
	}

	secret, _ := k.material.([]byte)
	newHash, _ := s.newHash(s.hashOf(a))
	salt := s.bytes(a.get("salt"), "salt")

	if k.name == "HKDF" {
		out, err := hkdf.Key(newHash, secret, salt, string(s.bytes(a.get("info"), "info")), n)
		s.check(err)
		return out
	}

	rounds := a.get("iterations").ToInteger()
	if rounds < 1 || rounds > maxPBKDF2 {
		s.fail("NotSupportedError", "iterations must be from 1 to %d", maxPBKDF2)
	}

	out, err := pbkdf2.Key(newHash, string(secret), salt, int(rounds), n)
	s.check(err)

	return out
}

// secretLength is the length in bytes of a key that is made for an algorithm.
func (s *subtleCrypto) secretLength(a algorithm) int {
	length := a.get("length")
	switch a.name {
	case "HMAC":
		if goja.IsUndefined(length) {
			newHash, _ := s.newHash(s.hashOf(a))
			return newHash().BlockSize()
		}
		if bits := length.ToInteger(); bits > 0 && bits%8 == 0 && bits <= 8*maxDerived {
			return int(bits / 8)
		}
	case "AES-GCM", "AES-CBC":
		if bits := length.ToInteger(); bits == 128 || bits == 192 || bits == 256 {
			return int(bits / 8)
		}
	default:
		s.fail("NotSupportedError", "keys for %s cannot be made so", realm.Clip(a.name))
	}

	s.fail("OperationError", "the length of the key is not one of %s", a.name)
	return 0
}
