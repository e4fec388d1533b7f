package webcrypto

import (
	"bytes"

	"github.com/dop251/goja"
)

// wrapKey exports a key and encrypts that: (format, key, wrapping key, algorithm).
func (s *subtleCrypto) wrapKey(c goja.FunctionCall) goja.Value {
	format := c.Argument(0).String()
	alg := s.algorithm(c.Argument(3), "wrapKey")
	key := s.keyOf(c.Argument(1))
	wrapping := s.usable(c.Argument(2), alg, "wrapKey")

	exported := s.exported(format, key)
	raw, isBytes := s.r.BytesOf(exported)
	if !isBytes {
		raw = s.jwkText(exported, alg.name == "AES-KW")
	}

	if alg.name == "AES-KW" {
		return s.buffer(s.wrapAES(wrapping, raw))
	}
	return s.buffer(s.encrypted(alg, wrapping, raw))
}

// jwkText is the JSON of a key. AES-KW takes whole blocks of 8 bytes alone, for which there are spaces.
func (s *subtleCrypto) jwkText(key goja.Value, padded bool) []byte {
	raw, err := s.r.JSON.Encode(key)
	s.check(err)

	if odd := len(raw) % 8; padded && odd != 0 {
		raw = append(raw, bytes.Repeat([]byte(" "), 8-odd)...)
	}
	return raw
}

// unwrapKey decrypts an exported key and imports it: (format, wrapped key, unwrapping key, its algorithm,
// algorithm of the key, extractable, usages).
func (s *subtleCrypto) unwrapKey(c goja.FunctionCall) goja.Value {
	format := c.Argument(0).String()
	wrapped := s.bytes(c.Argument(1), "the wrapped key")
	alg := s.algorithm(c.Argument(3), "unwrapKey")
	to := s.algorithm(c.Argument(4), "importKey")
	extractable := c.Argument(5).ToBoolean()
	usages := s.usages(c.Argument(6))
	unwrapping := s.usable(c.Argument(2), alg, "unwrapKey")

	var raw []byte
	if alg.name == "AES-KW" {
		raw = s.unwrapAES(unwrapping, wrapped)
	} else {
		raw = s.decrypted(alg, unwrapping, wrapped)
	}

	if format != "jwk" {
		return s.wrap(s.imported(format, raw, to, extractable, usages))
	}

	parsed, err := s.r.JSON.Decode(string(raw))
	if err != nil {
		s.fail("DataError", "the unwrapped key is no JSON")
	}

	object, isObject := parsed.(*goja.Object)
	if !isObject {
		s.fail("DataError", "the unwrapped key is no JWK")
	}
	return s.wrap(s.fromJWK(object, to, extractable, usages))
}
