package webcrypto

import (
	"crypto/rand"
	"crypto/rsa"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// encrypt is (algorithm, key, data).
func (s *subtleCrypto) encrypt(c goja.FunctionCall) goja.Value {
	alg := s.algorithm(c.Argument(0), "encrypt")
	data := s.bytes(c.Argument(2), "the data")
	return s.buffer(s.encrypted(alg, s.usable(c.Argument(1), alg, "encrypt"), data))
}

// encrypted is data under a key that may be used for it. It takes data over.
func (s *subtleCrypto) encrypted(alg algorithm, key *cryptoKey, data []byte) []byte {
	switch material := key.material.(type) {
	case []byte:
		switch key.name {
		case "AES-CBC":
			return s.encryptCBC(alg, material, data)
		case "AES-CTR":
			return s.countCTR(alg, material, data)
		}
		return s.gcm(alg, material).encrypt(data)
	case *rsa.PublicKey:
		newHash, _ := s.newHash(key.hash)
		out, err := rsa.EncryptOAEP(newHash(), rand.Reader, material, data, s.label(alg))
		s.check(err)
		return out
	}

	s.fail("InvalidAccessError", "the key cannot encrypt")
	return nil
}

// decrypt is (algorithm, key, data).
func (s *subtleCrypto) decrypt(c goja.FunctionCall) goja.Value {
	alg := s.algorithm(c.Argument(0), "decrypt")
	data := s.bytes(c.Argument(2), "the data")
	return s.buffer(s.decrypted(alg, s.usable(c.Argument(1), alg, "decrypt"), data))
}

// decrypted is the reverse of encrypted.
func (s *subtleCrypto) decrypted(alg algorithm, key *cryptoKey, data []byte) []byte {
	switch material := key.material.(type) {
	case []byte:
		switch key.name {
		case "AES-CBC":
			return s.decryptCBC(alg, material, data)
		case "AES-CTR":
			return s.countCTR(alg, material, data)
		}

		plain, ok := s.gcm(alg, material).decrypt(data)
		if !ok {
			s.fail("OperationError", "the operation failed")
		}
		return plain
	case *rsa.PrivateKey:
		newHash, _ := s.newHash(key.hash)
		out, err := rsa.DecryptOAEP(newHash(), nil, material, data, s.label(alg))
		s.check(err)
		return realm.NotNil(out)
	}

	s.fail("InvalidAccessError", "the key cannot decrypt")
	return nil
}

// label is the parameter of RSA-OAEP, or nil.
func (s *subtleCrypto) label(a algorithm) []byte {
	if l := a.get("label"); !goja.IsUndefined(l) {
		return s.bytes(l, "label")
	}
	return nil
}
