package auth

import (
	"context"
	"fmt"
	"sync"

	"github.com/alexedwards/argon2id"
)

// PasswordCost is what one hash costs (Argon2id, RFC 9106).
type PasswordCost struct {
	MemoryKiB  uint32
	Iterations uint32
}

// DefaultPasswordCost follows the OWASP password storage cheat sheet: 19 MiB and two passes, some 50 ms.
func DefaultPasswordCost() PasswordCost { return PasswordCost{MemoryKiB: 19 << 10, Iterations: 2} }

// Passwords hashes and checks passwords. It is safe for concurrent use.
type Passwords struct {
	params *argon2id.Params
	turns  *turns
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

	return &Passwords{params: params, turns: newTurns(maxHashing()), unknown: unknown}
}

// Hash checks and hashes a new password of a user. client is who waits for it: clients take turns. Errors:
// invalid for a password that CheckNewPassword refuses, too-many-requests when too many wait.
func (p *Passwords) Hash(ctx context.Context, client, username, password string) (string, error) {
	if err := CheckNewPassword(username, password); err != nil {
		return "", err
	}

	if err := p.turns.take(ctx, client); err != nil {
		return "", err
	}
	defer p.turns.done(client)
	hash, err := argon2id.CreateHash(password, p.params)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}

	return hash, nil
}

// Check reports whether a password has the hash. An empty hash stands for a user who does not exist: the
// answer is false and takes as long. client is who waits for it: clients take turns. Error:
// too-many-requests when too many wait; the password was not looked at then.
func (p *Passwords) Check(ctx context.Context, client, password, hash string) (bool, error) {
	if err := p.turns.take(ctx, client); err != nil {
		return false, err
	}
	defer p.turns.done(client)

	known := hash != ""
	if !known {
		hash = p.unknown()
	}

	// No password is that long; hashing a megabyte would only take time.
	if len(password) > maxPassword {
		password = ""
	}

	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return ok && err == nil && known, nil
}
