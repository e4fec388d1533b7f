package webcrypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// importKey takes raw, jwk, spki and pkcs8: (format, key, algorithm, extractable, usages).
func (s *subtleCrypto) importKey(c goja.FunctionCall) goja.Value {
	format := c.Argument(0).String()
	alg := s.algorithm(c.Argument(2), "importKey")
	extractable := c.Argument(3).ToBoolean()
	usages := s.usages(c.Argument(4))

	if format == "jwk" {
		o, ok := c.Argument(1).(*goja.Object)
		if _, isBytes := s.r.BytesOf(c.Argument(1)); !ok || isBytes {
			panic(s.r.VM.NewTypeError("a JWK is an object"))
		}
		return s.wrap(s.fromJWK(o, alg, extractable, usages))
	}

	return s.wrap(s.imported(format, s.bytes(c.Argument(1), "the key"), alg, extractable, usages))
}

// imported makes a key of the bytes of a format. It takes them over.
func (s *subtleCrypto) imported(format string, raw []byte, alg algorithm, extractable bool,
	usages []string,
) *cryptoKey {
	switch {
	case format == "raw" && alg.single != "":
		return s.secret(alg, raw, extractable, usages)
	case format == "raw" && !alg.isRSA():
		s.checkUsages(usages, alg.public)
		return s.asymmetric(alg, s.fromRaw(alg, raw), extractable, usages)
	case format == "spki" && alg.single == "":
		s.checkUsages(usages, alg.public)
		key := publicKey(raw)
		if key == nil {
			s.fail("DataError", "the key is not in SubjectPublicKeyInfo form")
		}
		return s.asymmetric(alg, key, extractable, usages)
	case format == "pkcs8" && alg.single == "":
		s.checkUsages(usages, alg.private)
		key, err := x509.ParsePKCS8PrivateKey(raw)
		if err != nil {
			s.fail("DataError", "the key is not in PKCS #8 form")
		}
		return s.asymmetric(alg, key, extractable, usages)
	}

	s.fail("NotSupportedError", "a key for %s cannot be in the format %s", alg.name, realm.Clip(format))
	return nil
}

// fromRaw is a public key of raw bytes.
func (s *subtleCrypto) fromRaw(a algorithm, raw []byte) any {
	switch a.name {
	case "Ed25519":
		if len(raw) != ed25519.PublicKeySize {
			s.fail("DataError", "a public key of Ed25519 has 32 bytes")
		}
		return ed25519.PublicKey(raw)
	case "X25519":
		public, err := ecdh.X25519().NewPublicKey(raw)
		if err != nil {
			s.fail("DataError", "a public key of X25519 has 32 bytes")
		}
		return public
	}

	public := point(s.curve(s.curveOf(a)), raw)
	if public == nil {
		s.fail("DataError", "the key is no point of the curve")
	}
	return public
}

// point is a public key of a curve's point, compressed or not (SEC 1, 2.3.4), or nil.
func point(curve elliptic.Curve, raw []byte) *ecdsa.PublicKey {
	if len(raw) > 0 && (raw[0] == 2 || raw[0] == 3) {
		x, y := elliptic.UnmarshalCompressed(curve, raw)
		if x == nil {
			return nil
		}
		size := (curve.Params().BitSize + 7) / 8
		raw = slices.Concat([]byte{4}, x.FillBytes(make([]byte, size)), y.FillBytes(make([]byte, size)))
	}

	public, err := ecdsa.ParseUncompressedPublicKey(curve, raw)
	if err != nil {
		return nil
	}
	return public
}

// publicKey reads SubjectPublicKeyInfo; nil if that is not in it. Compressed points, which package x509 does
// not know, are read here.
func publicKey(raw []byte) any {
	key, err := x509.ParsePKIXPublicKey(raw)
	if err == nil {
		return key
	}

	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Point     asn1.BitString
	}
	rest, err := asn1.Unmarshal(raw, &info)
	ofCurves := asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1} // RFC 5480, 2.1.1
	if err != nil || len(rest) > 0 || !info.Algorithm.Algorithm.Equal(ofCurves) {
		return nil
	}

	var name asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &name); err != nil || len(rest) > 0 {
		return nil
	}

	curves := map[string]elliptic.Curve{ // RFC 5480, 2.1.1.1
		"1.2.840.10045.3.1.7": elliptic.P256(),
		"1.3.132.0.34":        elliptic.P384(),
		"1.3.132.0.35":        elliptic.P521(),
	}
	curve := curves[name.String()]
	if curve == nil {
		return nil
	}

	if public := point(curve, info.Point.RightAlign()); public != nil {
		return public
	}
	return nil
}

// exportKey gives raw, jwk, spki and pkcs8: (format, key).
func (s *subtleCrypto) exportKey(c goja.FunctionCall) goja.Value {
	return s.exported(c.Argument(0).String(), s.keyOf(c.Argument(1)))
}

// exported is a key in a format: an ArrayBuffer, or a JWK.
func (s *subtleCrypto) exported(format string, key *cryptoKey) goja.Value {
	if key.name == "PBKDF2" || key.name == "HKDF" {
		s.fail("NotSupportedError", "a key for %s cannot be exported", key.name)
	}
	if !key.extractable {
		s.fail("InvalidAccessError", "the key is not extractable")
	}
	if format == "jwk" {
		return s.toJWK(key)
	}

	var raw []byte

	var err error
	switch {
	case format == "raw":
		raw, err = toRaw(key)
	case format == "spki" && key.kind == "public":
		raw, err = x509.MarshalPKIXPublicKey(key.material)
	case format == "pkcs8" && key.kind == "private":
		raw, err = x509.MarshalPKCS8PrivateKey(key.material)
	}

	s.check(err)
	if raw == nil {
		wrong := "NotSupportedError"
		if key.kind != "secret" && slices.Contains([]string{"raw", "spki", "pkcs8"}, format) {
			wrong = "InvalidAccessError" // the other key of the pair has it
		}
		s.fail(wrong, "a %s key of %s has no form %s", key.kind, key.name, realm.Clip(format))
	}

	return s.buffer(raw)
}

// toRaw is the raw form of a key, or nil if it has none.
func toRaw(k *cryptoKey) ([]byte, error) {
	switch key := k.material.(type) {
	case []byte:
		return realm.NotNil(slices.Clone(key)), nil
	case *ecdsa.PublicKey:
		return key.Bytes()
	case ed25519.PublicKey:
		return slices.Clone(key), nil
	case *ecdh.PublicKey:
		return key.Bytes(), nil
	}

	return nil, nil
}
