package auth

import (
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"picloud/internal/cloud"
)

// PasswordCost is what one hash costs (Argon2id, RFC 9106).
type PasswordCost struct {
	MemoryKiB  uint32
	Iterations uint32
}

// DefaultPasswordCost follows the OWASP password storage cheat sheet: 19 MiB and two passes, some 50 ms.
func DefaultPasswordCost() PasswordCost { return PasswordCost{MemoryKiB: 19 << 10, Iterations: 2} }

// Length of a password in bytes.
const (
	minPassword = 8
	maxPassword = 200
)

// maxHashing bounds how many passwords are hashed at once, because each takes the memory of its cost.
const maxHashing = 2

// Passwords hashes and checks passwords. It is safe for concurrent use.
type Passwords struct {
	params *argon2id.Params
	// slots holds one token for each hash under way; its capacity is maxHashing.
	slots chan struct{}
	// unknown returns a hash that no password is checked against successfully. It is compared with when the
	// user does not exist, so that the answer takes as long.
	unknown func() string
}

// NewPasswords returns a Passwords whose new hashes have the given cost. A hash carries its own cost, so
// those made with another one can still be checked.
func NewPasswords(cost PasswordCost) *Passwords {
	params := &argon2id.Params{
		Memory:      cost.MemoryKiB,
		Iterations:  cost.Iterations,
		Parallelism: 1,
		SaltLength:  16,
		KeyLength:   32,
	}

	unknown := sync.OnceValue(func() string {
		hash, _ := argon2id.CreateHash("no password is this", params)
		return hash
	})

	return &Passwords{params: params, slots: make(chan struct{}, maxHashing), unknown: unknown}
}

// Hash checks and hashes a new password. Errors: invalid unless it is UTF-8 of 8 to 200 bytes.
func (p *Passwords) Hash(password string) (string, error) {
	if len(password) < minPassword || len(password) > maxPassword || !utf8.ValidString(password) {
		return "", cloud.Errorf(cloud.CodeInvalid, "a password has %d to %d bytes", minPassword, maxPassword)
	}

	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	hash, err := argon2id.CreateHash(password, p.params)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}

	return hash, nil
}

// Check reports whether a password has the hash. An empty hash stands for a user who does not exist: the
// answer is false and takes as long.
func (p *Passwords) Check(password, hash string) bool {
	known := hash != ""
	if !known {
		hash = p.unknown()
	}

	// No password is that long; hashing a megabyte would only take time.
	if len(password) > maxPassword {
		password = ""
	}

	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return ok && err == nil && known
}
