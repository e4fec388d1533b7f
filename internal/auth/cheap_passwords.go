package auth

import (
	"testing"

	"github.com/alexedwards/argon2id"
)

// CheapPasswords makes hashing a password take well under a millisecond instead of some thirty. It is for
// TestMain, before anything is hashed, and panics outside of a test binary, so that no installation can get
// it by accident.
func CheapPasswords() {
	if !testing.Testing() {
		panic("auth: cheap passwords outside of a test")
	}
	passwordParams = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}
