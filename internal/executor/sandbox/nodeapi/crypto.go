package nodeapi

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // Node has it, for what others still use
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // as md5
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/subtle"
	"encoding"
	"fmt"
	"hash"
	"strings"

	"github.com/dop251/goja"
	"golang.org/x/crypto/scrypt"

	"picloud/internal/executor/sandbox/realm"
)

// What a call may cost: native code is not interrupted, and the child dies at the run's deadline.
const (
	maxIterations = 4_000_000 // of PBKDF2, over all blocks
	maxKey        = 64 << 10  // bytes that are derived at once
	maxScrypt     = 64 << 20  // bytes of memory
	maxScryptWork = 1 << 22   // N * r * p
)

// hashes are those of createHash, by the names that getHashes lists.
var hashes = map[string]func() hash.Hash{
	"md5":        md5.New,
	"sha1":       sha1.New,
	"sha224":     sha256.New224,
	"sha256":     sha256.New,
	"sha384":     sha512.New384,
	"sha512":     sha512.New,
	"sha512-224": sha512.New512_224,
	"sha512-256": sha512.New512_256,
	"sha3-224":   func() hash.Hash { return sha3.New224() },
	"sha3-256":   func() hash.Hash { return sha3.New256() },
	"sha3-384":   func() hash.Hash { return sha3.New384() },
	"sha3-512":   func() hash.Hash { return sha3.New512() },
}

// newHash finds a hash by OpenSSL's name in any case; nil if there is none.
func newHash(name string) func() hash.Hash {
	name = strings.ToLower(name)
	name = strings.TrimPrefix(name, "rsa-")
	if short, isSHA2 := strings.CutPrefix(name, "sha-"); isSHA2 {
		name = "sha" + short
	}
	return hashes[name]
}

// addCrypto gives lib/crypto.js its primitives. Hashes that are not known are undefined.
func (n *Node) addCrypto(host *goja.Object) {
	for name, f := range map[string]func(goja.FunctionCall) goja.Value{
		"hash":   n.hashOf,
		"random": n.random,
		"equal": func(c goja.FunctionCall) goja.Value {
			same := subtle.ConstantTimeCompare(n.bytes(c.Argument(0)), n.bytes(c.Argument(1)))
			return n.VM.ToValue(same == 1)
		},
		"pbkdf2": n.pbkdf2,
		"scrypt": n.scrypt,
		"hkdf":   n.hkdf,
	} {
		n.Define(host, name, f)
	}
}

func (n *Node) buffer(raw []byte) goja.Value {
	return n.VM.ToValue(n.VM.NewArrayBuffer(realm.NotNil(raw)))
}

// hashOf makes a running hash, or with a key an HMAC: (name, key).
func (n *Node) hashOf(c goja.FunctionCall) goja.Value {
	newRunning := newHash(c.Argument(0).String())
	if newRunning == nil {
		return goja.Undefined()
	}
	if key := c.Argument(1); !goja.IsUndefined(key) {
		return n.hashObject(hmac.New(newRunning, n.bytes(key)), nil)
	}
	return n.hashObject(newRunning(), newRunning)
}

// hashObject is what lib/crypto.js has of a running hash. newRunning is nil for one that cannot be copied.
func (n *Node) hashObject(running hash.Hash, newRunning func() hash.Hash) goja.Value {
	o := n.VM.NewObject()
	n.Define(o, "update", func(c goja.FunctionCall) goja.Value {
		_, _ = running.Write(n.bytes(c.Argument(0)))
		return goja.Undefined()
	})
	n.Define(o, "digest", func(goja.FunctionCall) goja.Value { return n.buffer(running.Sum(nil)) })
	n.Define(o, "copy", func(goja.FunctionCall) goja.Value {
		from, ok := running.(encoding.BinaryMarshaler)
		if newRunning == nil || !ok {
			return goja.Undefined()
		}
		state, err := from.MarshalBinary()
		copied := newRunning()
		to, ok := copied.(encoding.BinaryUnmarshaler)
		if err != nil || !ok || to.UnmarshalBinary(state) != nil {
			return goja.Undefined()
		}
		return n.hashObject(copied, newRunning)
	})
	return o
}

// random fills bytes.
func (n *Node) random(c goja.FunctionCall) goja.Value {
	_, _ = rand.Read(n.bytes(c.Argument(0)))
	return c.Argument(0)
}

// refused throws a RangeError for what would cost too much.
func (n *Node) refused(format string, args ...any) {
	panic(n.NewError("RangeError", fmt.Sprintf(format, args...)))
}

// keyLength reads the length of a key that is made.
func (n *Node) keyLength(v goja.Value) int {
	length := v.ToInteger()
	if length < 0 || length > maxKey {
		n.refused("a key has at most %d bytes here", maxKey)
	}
	return int(length)
}

// pbkdf2 is (password, salt, iterations, length, hash).
func (n *Node) pbkdf2(c goja.FunctionCall) goja.Value {
	newRunning := newHash(c.Argument(4).String())
	if newRunning == nil {
		return goja.Undefined()
	}

	rounds := c.Argument(2).ToInteger()
	length := n.keyLength(c.Argument(3))
	size := newRunning().Size()
	blocks := int64(max(1, (length+size-1)/size))
	if rounds < 1 || rounds > maxIterations/blocks {
		n.refused("iterations must be from 1 to %d here", maxIterations/blocks)
	}
	if length == 0 {
		return n.buffer(nil)
	}

	password, salt := string(n.bytes(c.Argument(0))), n.bytes(c.Argument(1))
	key, err := pbkdf2.Key(newRunning, password, salt, int(rounds), length)
	if err != nil {
		n.refused("the key cannot be derived")
	}
	return n.buffer(key)
}

// scrypt is (password, salt, length, N, r, p). It is undefined if the parameters are none of scrypt's.
func (n *Node) scrypt(c goja.FunctionCall) goja.Value {
	length := n.keyLength(c.Argument(2))

	cost, size, lanes := c.Argument(3).ToInteger(), c.Argument(4).ToInteger(), c.Argument(5).ToInteger()
	for _, v := range []int64{cost, size, lanes} {
		if v < 1 || v > maxScryptWork {
			return goja.Undefined()
		}
	}
	if 128*cost*size > maxScrypt || cost*size > maxScryptWork/lanes {
		n.refused("scrypt may take %d MiB and N * r * p be %d here", maxScrypt>>20, maxScryptWork)
	}

	password, salt := n.bytes(c.Argument(0)), n.bytes(c.Argument(1))
	key, err := scrypt.Key(password, salt, int(cost), int(size), int(lanes), length)
	if err != nil {
		return goja.Undefined()
	}
	return n.buffer(key)
}

// hkdf is (hash, key, salt, info, length).
func (n *Node) hkdf(c goja.FunctionCall) goja.Value {
	newRunning := newHash(c.Argument(0).String())
	if newRunning == nil {
		return goja.Undefined()
	}

	length := n.keyLength(c.Argument(4))
	secret, salt, info := n.bytes(c.Argument(1)), n.bytes(c.Argument(2)), string(n.bytes(c.Argument(3)))
	key, err := hkdf.Key(newRunning, secret, salt, info, length)
	if err != nil {
		n.refused("HKDF gives at most 255 times the length of its hash")
	}
	return n.buffer(key)
}
