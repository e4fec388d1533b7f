package webcrypto

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"math/big"
)

// RSA-PSS without a salt, whose signatures are always the same. Package rsa has no way to ask for it: there a
// length of 0 means the longest salt. What follows is RFC 8017, 9.1, for a salt of no bytes.

// unsalted is the message that a hash becomes, as long as the modulus of n; nil if it does not fit in.
func unsalted(newHash func() hash.Hash, sum []byte, n *big.Int) []byte {
	bits := n.BitLen() - 1
	size := (bits + 7) / 8
	if size < len(sum)+2 {
		return nil
	}

	h := newHash()
	_, _ = h.Write(make([]byte, 8))
	_, _ = h.Write(sum)
	seed := h.Sum(nil)

	message := make([]byte, size)
	masked := message[:size-len(seed)-1]
	masked[len(masked)-1] = 1
	mask(newHash, seed, masked)
	masked[0] &= 0xff >> (8*size - bits)
	copy(message[len(masked):], seed)
	message[size-1] = 0xbc

	return message
}

// mask is MGF1 of RFC 8017, B.2.1, over what is there.
func mask(newHash func() hash.Hash, seed, over []byte) {
	var counter [4]byte
	for at := 0; at < len(over); {
		h := newHash()
		_, _ = h.Write(seed)
		_, _ = h.Write(counter[:])
		piece := h.Sum(nil)
		at += subtle.XORBytes(over[at:], over[at:], piece)
		binary.BigEndian.PutUint32(counter[:], binary.BigEndian.Uint32(counter[:])+1)
	}
}

// signUnsalted signs a hash. The number is blinded, so that the time which it takes says nothing about the
// key.
func (s *subtleCrypto) signUnsalted(hashName string, key *rsa.PrivateKey, sum []byte) []byte {
	newHash, _ := s.newHash(hashName)
	message := unsalted(newHash, sum, key.N)
	if message == nil {
		s.fail("OperationError", "the operation failed")
	}

	var blind, unblind *big.Int
	for unblind == nil { // all but one in 2^1000 have an inverse
		var err error
		blind, err = rand.Int(rand.Reader, key.N)
		s.check(err)
		unblind = new(big.Int).ModInverse(blind, key.N)
	}

	m := new(big.Int).SetBytes(message)
	blinded := new(big.Int).Exp(blind, big.NewInt(int64(key.E)), key.N)
	blinded.Mul(blinded, m).Mod(blinded, key.N)
	signed := blinded.Exp(blinded, key.D, key.N)
	signed.Mul(signed, unblind).Mod(signed, key.N)

	// A fault of the machine in the middle would reveal the key.
	if new(big.Int).Exp(signed, big.NewInt(int64(key.E)), key.N).Cmp(m) != 0 {
		s.fail("OperationError", "the operation failed")
	}
	return signed.FillBytes(make([]byte, key.Size()))
}

// verifyUnsalted reports whether a signature is that of a hash.
func (s *subtleCrypto) verifyUnsalted(hashName string, key *rsa.PublicKey, sum, sig []byte) bool {
	newHash, _ := s.newHash(hashName)
	message := unsalted(newHash, sum, key.N)
	number := new(big.Int).SetBytes(sig)
	if message == nil || len(sig) != key.Size() || number.Cmp(key.N) >= 0 {
		return false
	}

	opened := number.Exp(number, big.NewInt(int64(key.E)), key.N)
	return opened.Cmp(new(big.Int).SetBytes(message)) == 0
}
