package webcrypto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// encrypt is (algorithm, key, data).
func (s *subtleCrypto) encrypt(c goja.FunctionCall) goja.Value {
	alg := s.algorithm(c.Argument(0))
	key := s.usable(c.Argument(1), alg, "encrypt")
	data := s.bytes(c.Argument(2), "the data")

	switch material := key.material.(type) {
	case []byte:
		if key.name == "AES-CBC" {
			return s.buffer(s.encryptCBC(alg, material, data))
		}
		gcm, iv, extra := s.gcm(alg, material)
		return s.buffer(gcm.Seal(nil, iv, data, extra))
	case *rsa.PublicKey:
		newHash, _ := s.newHash(key.hash)
		out, err := rsa.EncryptOAEP(newHash(), rand.Reader, material, data, s.label(alg))
		s.check(err)
		return s.buffer(out)
	}

	s.fail("InvalidAccessError", "the key cannot encrypt")
	return nil
}

// decrypt is (algorithm, key, data).
func (s *subtleCrypto) decrypt(c goja.FunctionCall) goja.Value {
	alg := s.algorithm(c.Argument(0))
	key := s.usable(c.Argument(1), alg, "decrypt")
	data := s.bytes(c.Argument(2), "the data")

	switch material := key.material.(type) {
	case []byte:
		if key.name == "AES-CBC" {
			return s.buffer(s.decryptCBC(alg, material, data))
		}
		gcm, iv, extra := s.gcm(alg, material)
		out, err := gcm.Open(nil, iv, data, extra)
		s.check(err)
		return s.buffer(realm.NotNil(out))
	case *rsa.PrivateKey:
		newHash, _ := s.newHash(key.hash)
		out, err := rsa.DecryptOAEP(newHash(), nil, material, data, s.label(alg))
		s.check(err)
		return s.buffer(realm.NotNil(out))
	}

	s.fail("InvalidAccessError", "the key cannot decrypt")
	return nil
}

// encryptCBC pads as PKCS #7 does.
func (s *subtleCrypto) encryptCBC(a algorithm, key, data []byte) []byte {
	pad := aes.BlockSize - len(data)%aes.BlockSize
	data = append(data, bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, iv := s.cbc(a, key)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	return data
}

// decryptCBC takes the padding off. A wrong key, a wrong iv and a wrong padding cannot be told apart by its
// error.
func (s *subtleCrypto) decryptCBC(a algorithm, key, data []byte) []byte {
	block, iv := s.cbc(a, key)
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		s.fail("OperationError", "the operation failed")
	}

	cipher.NewCBCDecrypter(block, iv).CryptBlocks(data, data)
	pad := int(data[len(data)-1])
	if pad < 1 || pad > aes.BlockSize || !bytes.HasSuffix(data, bytes.Repeat([]byte{byte(pad)}, pad)) {
		s.fail("OperationError", "the operation failed")
	}

	return data[:len(data)-pad]
}

// cbc reads the parameters of AES-CBC.
func (s *subtleCrypto) cbc(a algorithm, key []byte) (cipher.Block, []byte) {
	iv := s.bytes(a.get("iv"), "iv")
	if len(iv) != aes.BlockSize {
		s.fail("OperationError", "the iv of AES-CBC has 16 bytes")
	}

	block, err := aes.NewCipher(key)
	s.check(err)
	return block, iv
}

// gcm reads the parameters of AES-GCM.
func (s *subtleCrypto) gcm(a algorithm, key []byte) (aead cipher.AEAD, iv, extra []byte) {
	iv = s.bytes(a.get("iv"), "iv")
	if len(iv) == 0 {
		s.fail("OperationError", "the iv is empty")
	}
	if t := a.get("tagLength"); !goja.IsUndefined(t) && t.ToInteger() != 128 {
		s.fail("NotSupportedError", "only a tagLength of 128 is supported")
	}

	if d := a.get("additionalData"); !goja.IsUndefined(d) {
		extra = s.bytes(d, "additionalData")
	}

	block, err := aes.NewCipher(key)
	s.check(err)
	aead, err = cipher.NewGCMWithNonceSize(block, len(iv))
	s.check(err)

	return aead, iv, extra
}

// label is the parameter of RSA-OAEP, or nil.
func (s *subtleCrypto) label(a algorithm) []byte {
	if l := a.get("label"); !goja.IsUndefined(l) {
		return s.bytes(l, "label")
	}
	return nil
}
