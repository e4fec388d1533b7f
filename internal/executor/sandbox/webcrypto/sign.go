package webcrypto

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"math/big"

	"github.com/dop251/goja"
)

// sign makes a signature: (algorithm, key, data).
func (s *subtleCrypto) sign(c goja.FunctionCall) goja.Value {
	alg := s.algorithm(c.Argument(0), "sign")
	key := s.usable(c.Argument(1), alg, "sign")
	data := s.bytes(c.Argument(2), "the data")

	switch material := key.material.(type) {
	case []byte:
		return s.buffer(s.mac(key.hash, material, data))
	case *ecdsa.PrivateKey:
		return s.buffer(s.signECDSA(alg, material, data))
	case ed25519.PrivateKey:
		return s.buffer(ed25519.Sign(material, data))
	case *rsa.PrivateKey:
		return s.buffer(s.signRSA(alg, key.hash, material, data))
	}

	s.fail("InvalidAccessError", "the key cannot sign")
	return nil
}

// signECDSA gives r and s side by side, as Web Crypto has them, not in ASN.1.
func (s *subtleCrypto) signECDSA(a algorithm, key *ecdsa.PrivateKey, data []byte) []byte {
	sum, _ := s.sum(s.hashOf(a), data)
	r, sig, err := ecdsa.Sign(rand.Reader, key, sum)
	s.check(err)

	size := numberSize(&key.PublicKey)
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	sig.FillBytes(out[size:])
	return out
}

// numberSize is the length in bytes of a coordinate of a key's curve.
func numberSize(key *ecdsa.PublicKey) int { return (key.Curve.Params().BitSize + 7) / 8 }

// signRSA signs by RSASSA-PKCS1-v1_5 or RSA-PSS, with the hash that the key was made for.
func (s *subtleCrypto) signRSA(a algorithm, hashName string, key *rsa.PrivateKey, data []byte) []byte {
	sum, id := s.sum(hashName, data)

	var out []byte
	var err error
	if a.name == "RSA-PSS" {
		salt := s.saltLength(a)
		if salt == 0 {
			return s.signUnsalted(hashName, key, sum)
		}
		if salt > key.Size() { // memory is taken before its length is looked at
			s.fail("OperationError", "the operation failed")
		}
		out, err = rsa.SignPSS(rand.Reader, key, id, sum, pss(salt))
	} else {
		out, err = rsa.SignPKCS1v15(rand.Reader, key, id, sum)
	}

	s.check(err)
	return out
}

// saltLength is how many bytes the salt of RSA-PSS has.
func (s *subtleCrypto) saltLength(a algorithm) int {
	return int(s.number(a, "saltLength", unsignedLong))
}

func pss(salt int) *rsa.PSSOptions { return &rsa.PSSOptions{SaltLength: salt} }

func (s *subtleCrypto) mac(hashName string, key, data []byte) []byte {
	newHash, _ := s.newHash(hashName)
	h := hmac.New(newHash, key)
	_, _ = h.Write(data)
	return h.Sum(nil)
}

// verify reports whether a signature is one: (algorithm, key, signature, data).
func (s *subtleCrypto) verify(c goja.FunctionCall) goja.Value {
	alg := s.algorithm(c.Argument(0), "verify")
	key := s.usable(c.Argument(1), alg, "verify")
	sig := s.bytes(c.Argument(2), "the signature")
	data := s.bytes(c.Argument(3), "the data")

	ok := false
	switch material := key.material.(type) {
	case []byte:
		ok = subtle.ConstantTimeCompare(sig, s.mac(key.hash, material, data)) == 1
	case *ecdsa.PublicKey:
		ok = s.verifyECDSA(alg, material, sig, data)
	case ed25519.PublicKey:
		ok = ed25519.Verify(material, data, sig)
	case *rsa.PublicKey:
		ok = s.verifyRSA(alg, key.hash, material, sig, data)
	default:
		s.fail("InvalidAccessError", "the key cannot verify")
	}

	return s.r.VM.ToValue(ok)
}

// verifyECDSA takes r and s side by side.
func (s *subtleCrypto) verifyECDSA(a algorithm, key *ecdsa.PublicKey, sig, data []byte) bool {
	sum, _ := s.sum(s.hashOf(a), data)
	size := numberSize(key)
	if len(sig) != 2*size {
		return false
	}
	return ecdsa.Verify(key, sum, new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:]))
}

func (s *subtleCrypto) verifyRSA(a algorithm, hashName string, key *rsa.PublicKey, sig, data []byte) bool {
	sum, id := s.sum(hashName, data)
	if a.name != "RSA-PSS" {
		return rsa.VerifyPKCS1v15(key, id, sum, sig) == nil
	}

	salt := s.saltLength(a)
	if salt == 0 {
		return s.verifyUnsalted(hashName, key, sum, sig)
	}
	return salt <= key.Size() && rsa.VerifyPSS(key, id, sum, sig, pss(salt)) == nil
}
