package webcrypto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/big"
	"slices"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// block is the cipher of a key.
func (s *subtleCrypto) block(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	s.check(err)
	return block
}

// encryptCBC pads as PKCS #7 does.
func (s *subtleCrypto) encryptCBC(a algorithm, key, data []byte) []byte {
	pad := aes.BlockSize - len(data)%aes.BlockSize
	data = append(data, bytes.Repeat([]byte{byte(pad)}, pad)...)

	cipher.NewCBCEncrypter(s.block(key), s.ivOfCBC(a)).CryptBlocks(data, data)
	return data
}

// decryptCBC takes the padding off. A wrong key, a wrong iv and a wrong padding cannot be told apart by its
// error.
func (s *subtleCrypto) decryptCBC(a algorithm, key, data []byte) []byte {
	iv := s.ivOfCBC(a)
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		s.fail("OperationError", "the operation failed")
	}

	cipher.NewCBCDecrypter(s.block(key), iv).CryptBlocks(data, data)

	pad := int(data[len(data)-1])
	if pad < 1 || pad > aes.BlockSize || !bytes.HasSuffix(data, bytes.Repeat([]byte{byte(pad)}, pad)) {
		s.fail("OperationError", "the operation failed")
	}
	return data[:len(data)-pad]
}

func (s *subtleCrypto) ivOfCBC(a algorithm) []byte {
	iv := s.bytes(a.get("iv"), "iv")
	if len(iv) != aes.BlockSize {
		s.fail("OperationError", "the iv of AES-CBC has 16 bytes")
	}
	return iv
}

// countCTR encrypts and decrypts by AES-CTR. Of the counter's 128 bits as many count as the parameter length
// says; they begin again at 0, and the others stay.
func (s *subtleCrypto) countCTR(a algorithm, key, data []byte) []byte {
	counter := s.bytes(a.get("counter"), "counter")
	if len(counter) != aes.BlockSize {
		s.fail("OperationError", "the counter of AES-CTR has 16 bytes")
	}

	length := s.number(a, "length", octet)
	if length < 1 || length > 128 {
		s.fail("OperationError", "the length of AES-CTR is from 1 to 128")
	}

	one := big.NewInt(1)
	period := new(big.Int).Lsh(one, uint(length)) // in blocks
	blocks := big.NewInt(int64((len(data) + aes.BlockSize - 1) / aes.BlockSize))
	if blocks.Cmp(period) > 0 {
		s.fail("OperationError", "the data is longer than the counter can count")
	}

	start := new(big.Int).SetBytes(counter)
	counted := new(big.Int).And(start, new(big.Int).Sub(period, one))

	// Where the counter begins again, in bytes.
	turn := len(data)
	if left := new(big.Int).Sub(period, counted); left.Cmp(blocks) < 0 {
		turn = aes.BlockSize * int(left.Int64())
	}

	block := s.block(key)
	cipher.NewCTR(block, counter).XORKeyStream(data[:turn], data[:turn])
	if turn < len(data) {
		start.Sub(start, counted).FillBytes(counter)
		cipher.NewCTR(block, counter).XORKeyStream(data[turn:], data[turn:])
	}

	return data
}

// gcm is AES-GCM with the parameters of a call.
type gcm struct {
	cipher.AEAD
	iv, extra []byte
	tag       int // bytes of the tag; the first ones, if it is not the whole
}

// gcm reads the parameters of AES-GCM.
func (s *subtleCrypto) gcm(a algorithm, key []byte) gcm {
	params := gcm{iv: s.bytes(a.get("iv"), "iv"), tag: 16}
	if len(params.iv) == 0 {
		s.fail("OperationError", "the iv is empty")
	}

	if !goja.IsUndefined(a.get("tagLength")) {
		bits := s.number(a, "tagLength", octet)
		if !slices.Contains([]int64{32, 64, 96, 104, 112, 120, 128}, bits) {
			s.fail("OperationError", "a tagLength of AES-GCM is 32, 64, 96, 104, 112, 120 or 128")
		}
		params.tag = int(bits / 8)
	}

	if d := a.get("additionalData"); !goja.IsUndefined(d) {
		params.extra = s.bytes(d, "additionalData")
	}

	var err error
	params.AEAD, err = cipher.NewGCMWithNonceSize(s.block(key), len(params.iv))
	s.check(err)
	return params
}

func (g gcm) encrypt(data []byte) []byte {
	sealed := g.Seal(nil, g.iv, data, g.extra)
	return sealed[:len(data)+g.tag]
}

// decrypt reports whether the tag is right. A short one is compared with the first bytes of the tag that the
// plain text has: Go opens no text with less than 12 of them.
func (g gcm) decrypt(data []byte) ([]byte, bool) {
	if len(data) < g.tag {
		return nil, false
	}

	text, tag := data[:len(data)-g.tag], data[len(data)-g.tag:]
	plain := g.Seal(nil, g.iv, text, nil)[:len(text)] // encrypting twice with one iv decrypts
	again := g.Seal(nil, g.iv, plain, g.extra)
	if subtle.ConstantTimeCompare(tag, again[len(text):len(text)+g.tag]) != 1 {
		return nil, false
	}
	return realm.NotNil(plain), true
}

// wrapBlock is the unit of AES-KW in bytes, and wrapRounds how often it goes over all of them (RFC 3394).
const (
	wrapBlock  = 8
	wrapRounds = 6
)

// wrapStart is the value that a wrapped key begins with (RFC 3394, 2.2.3.1).
var wrapStart = bytes.Repeat([]byte{0xa6}, wrapBlock)

// wrapAES wraps a key by AES-KW.
func (s *subtleCrypto) wrapAES(key *cryptoKey, data []byte) []byte {
	if len(data) < 2*wrapBlock || len(data)%wrapBlock != 0 {
		s.fail("OperationError", "AES-KW wraps a multiple of 8 bytes, at least 16")
	}

	secret, _ := key.material.([]byte)
	block := s.block(secret)
	out := slices.Concat(wrapStart, data)
	n := len(data) / wrapBlock
	buf := make([]byte, aes.BlockSize)

	for round := range wrapRounds {
		for k := 1; k <= n; k++ {
			copy(buf, out[:wrapBlock])
			copy(buf[wrapBlock:], out[k*wrapBlock:])
			block.Encrypt(buf, buf)
			mixCount(buf, round*n+k)
			copy(out, buf[:wrapBlock])
			copy(out[k*wrapBlock:(k+1)*wrapBlock], buf[wrapBlock:])
		}
	}

	return out
}

// unwrapAES unwraps a key by AES-KW.
func (s *subtleCrypto) unwrapAES(key *cryptoKey, data []byte) []byte {
	if len(data) < 3*wrapBlock || len(data)%wrapBlock != 0 {
		s.fail("OperationError", "the operation failed")
	}

	secret, _ := key.material.([]byte)
	block := s.block(secret)
	n := len(data)/wrapBlock - 1
	buf := make([]byte, aes.BlockSize)

	for round := wrapRounds - 1; round >= 0; round-- {
		for k := n; k >= 1; k-- {
			copy(buf, data[:wrapBlock])
			copy(buf[wrapBlock:], data[k*wrapBlock:])
			mixCount(buf, round*n+k)
			block.Decrypt(buf, buf)
			copy(data, buf[:wrapBlock])
			copy(data[k*wrapBlock:(k+1)*wrapBlock], buf[wrapBlock:])
		}
	}

	if subtle.ConstantTimeCompare(data[:wrapBlock], wrapStart) != 1 {
		s.fail("OperationError", "the operation failed")
	}
	return data[wrapBlock:]
}

// mixCount puts the number of a step into the first half of a block.
func mixCount(buf []byte, step int) {
	half := binary.BigEndian.Uint64(buf)
	binary.BigEndian.PutUint64(buf, half^uint64(step))
}
