// Package secrets encrypts the values of variables and secrets under the master key, so that a copy of the
// database alone does not disclose them. It stores nothing: the manager owns the rows, and the orchestrator
// decrypts them for runs.
package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"picloud/internal/cloud"
)

// ErrKey is returned for a value that was sealed under another master key, or was changed.
var ErrKey = errors.New("the value is sealed under another master key, or was changed")

// Box seals and opens values with AES-256-GCM (NIST SP 800-38D) under a key derived from the master key (RFC
// 5869). It is safe for concurrent use.
type Box struct {
	aead  cipher.AEAD
	keyID string
}

// NewBox returns the box of a master key, which should be 32 random bytes.
func NewBox(master []byte) (*Box, error) {
	key, err := hkdf.Key(sha256.New, master, nil, "picloud secrets", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}

	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}

	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}

	// The id is derived apart from the key, so it says nothing about either.
	id, err := hkdf.Key(sha256.New, master, nil, "picloud key id", 8)
	if err != nil {
		return nil, fmt.Errorf("derive key id: %w", err)
	}
	return &Box{aead: aead, keyID: hex.EncodeToString(id)}, nil
}

// KeyID names the master key, as 16 hexadecimal digits. It is stored beside each sealed value, so that a
// value under an old key can be recognised; it discloses nothing of the key.
func (b *Box) KeyID() string { return b.keyID }

// Seal encrypts the value of a variable. The result is a random nonce and the ciphertext.
func (b *Box) Seal(v cloud.VariableRef, value string) []byte {
	nonce := make([]byte, b.aead.NonceSize(), b.aead.NonceSize()+len(value)+b.aead.Overhead())
	_, _ = rand.Read(nonce) // it never fails
	return b.aead.Seal(nonce, nonce, []byte(value), binding(v))
}

// Open decrypts what Seal returned for the same variable. It returns ErrKey if keyID is that of another
// master key, if the value was sealed for another variable, or if it was changed.
func (b *Box) Open(v cloud.VariableRef, keyID string, sealed []byte) (string, error) {
	nonceSize := b.aead.NonceSize()
	if keyID != b.keyID || len(sealed) < nonceSize {
		return "", ErrKey
	}

	value, err := b.aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], binding(v))
	if err != nil {
		return "", ErrKey
	}
	return string(value), nil
}

// binding is authenticated with a value: the value opens under its own app, name and kind only. Otherwise
// whoever can write to the database could turn a secret into a variable, which is shown.
func binding(v cloud.VariableRef) []byte {
	return fmt.Appendf(nil, "picloud\x00%d\x00%s\x00%t", v.App, v.Name, v.Secret)
}
