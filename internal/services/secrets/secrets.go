// Package secrets seals the values of variables and secrets under the master key, so that a copy of the database alone
// tells nothing. It keeps nothing: rows are the manager's, what scripts see is the orchestrator's.
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

// bound is what a sealed value is bound to: it opens under its own app, name and kind alone, so nobody who writes to the
// database can move one to where it is shown.
func bound(v cloud.VariableRef) []byte {
	return fmt.Appendf(nil, "picloud\x00%d\x00%s\x00%t", v.App, v.Name, v.Secret)
}

// Box seals and opens with AES-256-GCM (NIST SP 800-38D) under a key derived from the master key (RFC 5869).
type Box struct {
	aead  cipher.AEAD
	keyID string
}

// ErrKey is returned for a value that is sealed under another key, or was changed.
var ErrKey = errors.New("the value is sealed under another master key, or was changed")

// NewBox takes the master key, 32 bytes.
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
	id, err := hkdf.Key(sha256.New, master, nil, "picloud key id", 8)
	if err != nil {
		return nil, fmt.Errorf("derive key id: %w", err)
	}
	return &Box{aead: aead, keyID: hex.EncodeToString(id)}, nil
}

// KeyID names the master key without telling anything of it.
func (b *Box) KeyID() string { return b.keyID }

// Seal gives nonce and ciphertext.
func (b *Box) Seal(v cloud.VariableRef, value string) []byte {
	nonce := make([]byte, b.aead.NonceSize(), b.aead.NonceSize()+len(value)+b.aead.Overhead())
	_, _ = rand.Read(nonce)
	return b.aead.Seal(nonce, nonce, []byte(value), bound(v))
}

// Open gives the value back, or ErrKey.
func (b *Box) Open(v cloud.VariableRef, keyID string, sealed []byte) (string, error) {
	n := b.aead.NonceSize()
	if keyID != b.keyID || len(sealed) < n {
		return "", ErrKey
	}
	value, err := b.aead.Open(nil, sealed[:n], sealed[n:], bound(v))
	if err != nil {
		return "", ErrKey
	}
	return string(value), nil
}
