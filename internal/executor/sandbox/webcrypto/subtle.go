package webcrypto

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // Web Crypto has it, for what others still use
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"hash"
	"math/big"
	"slices"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// cryptoKey is a CryptoKey (Web Cryptography API, 13). material is []byte, or a key of the standard library.
type cryptoKey struct {
	realm.Own
	kind        string // secret, private, public
	name        string // of the algorithm
	hash        string
	curve       string
	usages      []string
	material    any
	extractable bool
}

// What a call may cost: native code is not interrupted, and the child dies at the run's deadline.
const (
	maxPBKDF2  = 1_000_000 // iterations
	maxRSABits = 4096
)

type subtleCrypto struct {
	r   *realm.Realm
	key realm.Class
}

// New makes crypto.subtle of a realm: digests, HMAC, AES-GCM, AES-CBC, ECDSA, Ed25519, RSA, PBKDF2 and HKDF. It defines the global
// classes CryptoKey and SubtleCrypto.
func New(r *realm.Realm) *goja.Object {
	s := &subtleCrypto{r: r, key: r.AbstractClass("CryptoKey")}
	this := func(v goja.Value) *cryptoKey { return realm.MustState[cryptoKey](r, v, "CryptoKey") }
	r.Getter(s.key.Proto, "type", func(v goja.Value) goja.Value { return r.VM.ToValue(this(v).kind) })
	r.Getter(s.key.Proto, "extractable", func(v goja.Value) goja.Value { return r.VM.ToValue(this(v).extractable) })
	r.Getter(s.key.Proto, "usages", func(v goja.Value) goja.Value { return r.Strings(this(v).usages) })
	r.Getter(s.key.Proto, "algorithm", func(v goja.Value) goja.Value { return s.algorithmOf(this(v)) })

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
	name string
	o    *goja.Object // nil: a name alone
}

func (s *subtleCrypto) algorithm(v goja.Value) algorithm {
	if o, ok := v.(*goja.Object); ok {
		name := o.Get("name")
		if name == nil || goja.IsUndefined(name) {
			panic(s.r.VM.NewTypeError("an algorithm needs a name"))
		}
		return algorithm{canonical(name.String()), o}
	}
	return algorithm{name: canonical(v.String())}
}

var algorithmNames = []string{"SHA-1", "SHA-256", "SHA-384", "SHA-512", "HMAC", "AES-GCM", "AES-CBC", "ECDSA", "Ed25519", "RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP", "PBKDF2", "HKDF"}

func canonical(name string) string {
	for _, n := range algorithmNames {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return name
}

func (a algorithm) get(name string) goja.Value {
	if a.o == nil {
		return goja.Undefined()
	}
	if v := a.o.Get(name); v != nil {
		return v
	}
	return goja.Undefined()
}

func (s *subtleCrypto) hashOf(a algorithm) string {
	h := a.get("hash")
	if goja.IsUndefined(h) {
		panic(s.r.VM.NewTypeError("the algorithm %s needs a hash", a.name))
	}
	name := s.algorithm(h).name
	s.newHash(name)
	return name
}

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
	n, id := s.newHash(name)
	h := n()
	_, _ = h.Write(data)
	return h.Sum(nil), id
}

func (s *subtleCrypto) digest(c goja.FunctionCall) goja.Value {
	sum, _ := s.sum(s.algorithm(c.Argument(0)).name, s.bytes(c.Argument(1), "the data"))
	return s.buffer(sum)
}

// usable gives the key of a call, if it is of the algorithm and for the use.
func (s *subtleCrypto) usable(v goja.Value, a algorithm, use string) *cryptoKey {
	k := realm.MustState[cryptoKey](s.r, v, "CryptoKey")
	if a.name != k.name {
		s.fail("InvalidAccessError", "the key is for %s, not %s", k.name, realm.Clip(a.name))
	}
	if !slices.Contains(k.usages, use) {
		s.fail("InvalidAccessError", "the key is not for %s", use)
	}
	return k
}

func (s *subtleCrypto) sign(c goja.FunctionCall) goja.Value {
	a := s.algorithm(c.Argument(0))
	k, data := s.usable(c.Argument(1), a, "sign"), s.bytes(c.Argument(2), "the data")
	switch key := k.material.(type) {
	case []byte:
		return s.buffer(s.mac(k.hash, key, data))
	case *ecdsa.PrivateKey:
		sum, _ := s.sum(s.hashOf(a), data)
		r, sig, err := ecdsa.Sign(rand.Reader, key, sum)
		s.check(err)
		size := (key.Curve.Params().BitSize + 7) / 8
		out := make([]byte, 2*size)
		r.FillBytes(out[:size])
		sig.FillBytes(out[size:])
		return s.buffer(out)
	case ed25519.PrivateKey:
		return s.buffer(ed25519.Sign(key, data))
	case *rsa.PrivateKey:
		sum, id := s.sum(k.hash, data)
		var out []byte
		var err error
		if k.name == "RSA-PSS" {
			out, err = rsa.SignPSS(rand.Reader, key, id, sum, &rsa.PSSOptions{SaltLength: int(a.get("saltLength").ToInteger())})
		} else {
			out, err = rsa.SignPKCS1v15(rand.Reader, key, id, sum)
		}
		s.check(err)
		return s.buffer(out)
	}
	s.fail("InvalidAccessError", "the key cannot sign")
	return nil
}

func (s *subtleCrypto) check(err error) {
	if err != nil {
		s.fail("OperationError", "the operation failed")
	}
}

func (s *subtleCrypto) mac(hashName string, key, data []byte) []byte {
	n, _ := s.newHash(hashName)
	h := hmac.New(n, key)
	_, _ = h.Write(data)
	return h.Sum(nil)
}

func (s *subtleCrypto) verify(c goja.FunctionCall) goja.Value {
	a := s.algorithm(c.Argument(0))
	k, sig, data := s.usable(c.Argument(1), a, "verify"), s.bytes(c.Argument(2), "the signature"), s.bytes(c.Argument(3), "the data")
	ok := false
	switch key := k.material.(type) {
	case []byte:
		ok = subtle.ConstantTimeCompare(sig, s.mac(k.hash, key, data)) == 1
	case *ecdsa.PublicKey:
		sum, _ := s.sum(s.hashOf(a), data)
		size := (key.Curve.Params().BitSize + 7) / 8
		ok = len(sig) == 2*size && ecdsa.Verify(key, sum, new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:]))
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, data, sig)
	case *rsa.PublicKey:
		sum, id := s.sum(k.hash, data)
		if k.name == "RSA-PSS" {
			ok = rsa.VerifyPSS(key, id, sum, sig, &rsa.PSSOptions{SaltLength: int(a.get("saltLength").ToInteger())}) == nil
		} else {
			ok = rsa.VerifyPKCS1v15(key, id, sum, sig) == nil
		}
	default:
		s.fail("InvalidAccessError", "the key cannot verify")
	}
	return s.r.VM.ToValue(ok)
}

func (s *subtleCrypto) encrypt(c goja.FunctionCall) goja.Value {
	a := s.algorithm(c.Argument(0))
	k, data := s.usable(c.Argument(1), a, "encrypt"), s.bytes(c.Argument(2), "the data")
	switch key := k.material.(type) {
	case []byte:
		if k.name == "AES-CBC" {
			pad := aes.BlockSize - len(data)%aes.BlockSize
			data = append(data, slices.Repeat([]byte{byte(pad)}, pad)...)
			block, iv := s.cbc(a, key)
			cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
			return s.buffer(data)
		}
		gcm, iv, extra := s.gcm(a, key)
		return s.buffer(gcm.Seal(nil, iv, data, extra))
	case *rsa.PublicKey:
		n, _ := s.newHash(k.hash)
		out, err := rsa.EncryptOAEP(n(), rand.Reader, key, data, s.label(a))
		s.check(err)
		return s.buffer(out)
	}
	s.fail("InvalidAccessError", "the key cannot encrypt")
	return nil
}

func (s *subtleCrypto) decrypt(c goja.FunctionCall) goja.Value {
	a := s.algorithm(c.Argument(0))
	k, data := s.usable(c.Argument(1), a, "decrypt"), s.bytes(c.Argument(2), "the data")
	switch key := k.material.(type) {
	case []byte:
		if k.name == "AES-CBC" {
			return s.buffer(s.decryptCBC(a, key, data))
		}
		gcm, iv, extra := s.gcm(a, key)
		out, err := gcm.Open(nil, iv, data, extra)
		s.check(err)
		return s.buffer(realm.NotNil(out))
	case *rsa.PrivateKey:
		n, _ := s.newHash(k.hash)
		out, err := rsa.DecryptOAEP(n(), nil, key, data, s.label(a))
		s.check(err)
		return s.buffer(realm.NotNil(out))
	}
	s.fail("InvalidAccessError", "the key cannot decrypt")
	return nil
}

func (s *subtleCrypto) decryptCBC(a algorithm, key, data []byte) []byte {
	block, iv := s.cbc(a, key)
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		s.fail("OperationError", "the operation failed")
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(data, data)
	pad := int(data[len(data)-1])
	if pad < 1 || pad > aes.BlockSize || !slices.Equal(data[len(data)-pad:], slices.Repeat([]byte{byte(pad)}, pad)) {
		s.fail("OperationError", "the operation failed")
	}
	return data[:len(data)-pad]
}

func (s *subtleCrypto) cbc(a algorithm, key []byte) (cipher.Block, []byte) {
	iv := s.bytes(a.get("iv"), "iv")
	if len(iv) != aes.BlockSize {
		s.fail("OperationError", "the iv of AES-CBC has 16 bytes")
	}
	block, err := aes.NewCipher(key)
	s.check(err)
	return block, iv
}

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

func (s *subtleCrypto) label(a algorithm) []byte {
	if l := a.get("label"); !goja.IsUndefined(l) {
		return s.bytes(l, "label")
	}
	return nil
}

func (s *subtleCrypto) deriveBits(c goja.FunctionCall) goja.Value {
	a := s.algorithm(c.Argument(0))
	k := s.usable(c.Argument(1), a, "deriveBits")
	bits := c.Argument(2).ToInteger()
	if bits <= 0 || bits%8 != 0 {
		s.fail("OperationError", "the length must be a number of bits that makes whole bytes")
	}
	return s.buffer(s.derive(a, k, int(bits/8)))
}

// maxDerived bounds what is derived at once, in bytes.
const maxDerived = 64 << 10

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

func (s *subtleCrypto) deriveKey(c goja.FunctionCall) goja.Value {
	a := s.algorithm(c.Argument(0))
	k := s.usable(c.Argument(1), a, "deriveKey")
	to := s.algorithm(c.Argument(2))
	raw := s.derive(a, k, s.secretLength(to))
	return s.wrap(s.secret(to, raw, c.Argument(3).ToBoolean(), s.usages(c.Argument(4))))
}

// secretLength is the length in bytes of a key that is made for an algorithm.
func (s *subtleCrypto) secretLength(a algorithm) int {
	length := a.get("length")
	switch a.name {
	case "HMAC":
		if goja.IsUndefined(length) {
			n, _ := s.newHash(s.hashOf(a))
			return n().BlockSize()
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

func (s *subtleCrypto) usages(v goja.Value) []string {
	var out []string
	s.r.VM.ForOf(v, func(u goja.Value) bool {
		use := u.String()
		if !slices.Contains([]string{"encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"}, use) {
			panic(s.r.VM.NewTypeError("%q is no key usage", realm.Clip(use)))
		}
		if !slices.Contains(out, use) {
			out = append(out, use)
		}
		return true
	})
	return out
}

func (s *subtleCrypto) secret(a algorithm, raw []byte, extractable bool, usages []string) *cryptoKey {
	k := &cryptoKey{kind: "secret", name: a.name, usages: usages, material: raw, extractable: extractable}
	allowed := []string{"deriveKey", "deriveBits"}
	switch a.name {
	case "HMAC":
		k.hash, allowed = s.hashOf(a), []string{"sign", "verify"}
		if len(raw) == 0 {
			s.fail("DataError", "the key is empty")
		}
	case "AES-GCM", "AES-CBC":
		allowed = []string{"encrypt", "decrypt", "wrapKey", "unwrapKey"}
		if len(raw) != 16 && len(raw) != 24 && len(raw) != 32 {
			s.fail("DataError", "an AES key has 16, 24 or 32 bytes")
		}
	case "PBKDF2", "HKDF":
		if extractable {
			s.fail("SyntaxError", "a key for %s is never extractable", a.name)
		}
	default:
		s.fail("NotSupportedError", "the algorithm %s is not supported", realm.Clip(a.name))
	}
	s.checkUsages(usages, allowed)
	return k
}

func (s *subtleCrypto) checkUsages(usages, allowed []string) {
	for _, u := range usages {
		if !slices.Contains(allowed, u) {
			s.fail("SyntaxError", "such a key is not for %s", u)
		}
	}
}

func (s *subtleCrypto) wrap(k *cryptoKey) goja.Value { return s.r.Instance(s.key, k) }

// generateKey makes a secret key, or a pair.
func (s *subtleCrypto) generateKey(c goja.FunctionCall) goja.Value {
	a, extractable, usages := s.algorithm(c.Argument(0)), c.Argument(1).ToBoolean(), s.usages(c.Argument(2))
	var private, public any
	k := cryptoKey{name: a.name, extractable: extractable}
	switch a.name {
	case "ECDSA":
		k.curve = a.get("namedCurve").String()
		key, err := ecdsa.GenerateKey(s.curve(k.curve), rand.Reader)
		s.check(err)
		private, public = key, &key.PublicKey
	case "Ed25519":
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		s.check(err)
		private, public = key, pub
	case "RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP":
		k.hash = s.hashOf(a)
		bits := a.get("modulusLength").ToInteger()
		if e := s.bytes(a.get("publicExponent"), "publicExponent"); new(big.Int).SetBytes(e).Int64() != 65537 || bits < 2048 || bits > maxRSABits {
			s.fail("OperationError", "an RSA key has a modulusLength from 2048 to %d and the publicExponent 65537", maxRSABits)
		}
		key, err := rsa.GenerateKey(rand.Reader, int(bits))
		s.check(err)
		private, public = key, &key.PublicKey
	default:
		raw := make([]byte, s.secretLength(a))
		_, _ = rand.Read(raw)
		if len(usages) == 0 {
			s.fail("SyntaxError", "a key needs usages")
		}
		return s.wrap(s.secret(a, raw, extractable, usages))
	}
	priv, pub := k, k
	priv.kind, priv.material, pub.kind, pub.material, pub.extractable = "private", private, "public", public, true
	forPrivate, forPublic := "sign", "verify"
	if a.name == "RSA-OAEP" {
		forPrivate, forPublic = "decrypt", "encrypt"
	}
	s.checkUsages(usages, []string{forPrivate, forPublic})
	if !slices.Contains(usages, forPrivate) {
		s.fail("SyntaxError", "a pair of keys needs the usage %s", forPrivate)
	}
	priv.usages = []string{forPrivate}
	if slices.Contains(usages, forPublic) {
		pub.usages = []string{forPublic}
	}
	out := s.r.VM.NewObject()
	_ = out.Set("publicKey", s.wrap(&pub))
	_ = out.Set("privateKey", s.wrap(&priv))
	return out
}

func (s *subtleCrypto) curve(name string) elliptic.Curve {
	switch name {
	case "P-256":
		return elliptic.P256()
	case "P-384":
		return elliptic.P384()
	case "P-521":
		return elliptic.P521()
	}
	s.fail("NotSupportedError", "the curve %s is not supported", realm.Clip(name))
	return nil
}

// importKey takes raw, jwk, spki and pkcs8.
func (s *subtleCrypto) importKey(c goja.FunctionCall) goja.Value {
	format, a, extractable, usages := c.Argument(0).String(), s.algorithm(c.Argument(2)), c.Argument(3).ToBoolean(), s.usages(c.Argument(4))
	if format == "jwk" {
		o, ok := c.Argument(1).(*goja.Object)
		if !ok {
			panic(s.r.VM.NewTypeError("a JWK is an object"))
		}
		return s.wrap(s.fromJWK(o, a, extractable, usages))
	}
	raw := s.bytes(c.Argument(1), "the key")
	switch format {
	case "raw":
		switch a.name {
		case "ECDSA":
			name := a.get("namedCurve").String()
			pub, err := ecdsa.ParseUncompressedPublicKey(s.curve(name), raw)
			if err != nil {
				s.fail("DataError", "the key is no point of the curve")
			}
			return s.wrap(s.asymmetric(a, pub, extractable, usages))
		case "Ed25519":
			if len(raw) != ed25519.PublicKeySize {
				s.fail("DataError", "a public key of Ed25519 has 32 bytes")
			}
			return s.wrap(s.asymmetric(a, ed25519.PublicKey(raw), extractable, usages))
		}
		return s.wrap(s.secret(a, raw, extractable, usages))
	case "spki":
		key, err := x509.ParsePKIXPublicKey(raw)
		if err != nil {
			s.fail("DataError", "the key is not in SubjectPublicKeyInfo form")
		}
		return s.wrap(s.asymmetric(a, key, extractable, usages))
	case "pkcs8":
		key, err := x509.ParsePKCS8PrivateKey(raw)
		if err != nil {
			s.fail("DataError", "the key is not in PKCS #8 form")
		}
		return s.wrap(s.asymmetric(a, key, extractable, usages))
	}
	s.fail("NotSupportedError", "the format %s is not supported", realm.Clip(format))
	return nil
}

// asymmetric is a public or private key, if it is one of the algorithm.
func (s *subtleCrypto) asymmetric(a algorithm, material any, extractable bool, usages []string) *cryptoKey {
	k := &cryptoKey{name: a.name, material: material, extractable: extractable, usages: usages}
	fits := false
	switch key := material.(type) {
	case *ecdsa.PublicKey:
		k.kind, k.curve, fits = "public", key.Curve.Params().Name, a.name == "ECDSA"
	case *ecdsa.PrivateKey:
		k.kind, k.curve, fits = "private", key.Curve.Params().Name, a.name == "ECDSA"
	case ed25519.PublicKey:
		k.kind, fits = "public", a.name == "Ed25519"
	case ed25519.PrivateKey:
		k.kind, fits = "private", a.name == "Ed25519"
	case *rsa.PublicKey:
		k.kind, fits = "public", strings.HasPrefix(a.name, "RSA") && key.N.BitLen() <= maxRSABits
	case *rsa.PrivateKey:
		k.kind, fits = "private", strings.HasPrefix(a.name, "RSA") && key.N.BitLen() <= maxRSABits
	}
	if !fits {
		s.fail("DataError", "the key is not one for %s", realm.Clip(a.name))
	}
	if k.curve != "" && k.curve != a.get("namedCurve").String() {
		s.fail("DataError", "the key is on the curve %s", k.curve)
	}
	if strings.HasPrefix(a.name, "RSA") {
		k.hash = s.hashOf(a)
	}
	use := map[string]string{"public": "verify", "private": "sign"}[k.kind]
	if a.name == "RSA-OAEP" {
		use = map[string]string{"public": "encrypt", "private": "decrypt"}[k.kind]
	}
	s.checkUsages(usages, []string{use})
	if k.kind == "private" && len(usages) == 0 {
		s.fail("SyntaxError", "a private key needs usages")
	}
	return k
}

func (s *subtleCrypto) exportKey(c goja.FunctionCall) goja.Value {
	format, k := c.Argument(0).String(), realm.MustState[cryptoKey](s.r, c.Argument(1), "CryptoKey")
	if !k.extractable {
		s.fail("InvalidAccessError", "the key is not extractable")
	}
	switch format {
	case "jwk":
		return s.toJWK(k)
	case "raw":
		switch key := k.material.(type) {
		case []byte:
			return s.buffer(slices.Clone(key))
		case *ecdsa.PublicKey:
			raw, err := key.Bytes()
			s.check(err)
			return s.buffer(raw)
		case ed25519.PublicKey:
			return s.buffer(slices.Clone(key))
		}
	case "spki":
		if k.kind == "public" {
			raw, err := x509.MarshalPKIXPublicKey(k.material)
			s.check(err)
			return s.buffer(raw)
		}
	case "pkcs8":
		if k.kind == "private" {
			raw, err := x509.MarshalPKCS8PrivateKey(k.material)
			s.check(err)
			return s.buffer(raw)
		}
	}
	s.fail("NotSupportedError", "a %s key of %s has no form %s", k.kind, k.name, realm.Clip(format))
	return nil
}

// algorithmOf describes a key's algorithm.
func (s *subtleCrypto) algorithmOf(k *cryptoKey) goja.Value {
	o := s.r.VM.NewObject()
	_ = o.Set("name", k.name)
	if k.hash != "" {
		h := s.r.VM.NewObject()
		_ = h.Set("name", k.hash)
		_ = o.Set("hash", h)
	}
	if k.curve != "" {
		_ = o.Set("namedCurve", k.curve)
	}
	var public *rsa.PublicKey
	switch key := k.material.(type) {
	case []byte:
		if k.name != "PBKDF2" && k.name != "HKDF" {
			_ = o.Set("length", 8*len(key))
		}
	case *rsa.PublicKey:
		public = key
	case *rsa.PrivateKey:
		public = &key.PublicKey
	}
	if public != nil {
		_ = o.Set("modulusLength", public.N.BitLen())
		_ = o.Set("publicExponent", s.r.Uint8Array(big.NewInt(int64(public.E)).Bytes()))
	}
	return o
}
