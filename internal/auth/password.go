package auth

import (
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"picloud/internal/cloud"
)

// passwordParams follow the OWASP password storage cheat sheet for Argon2id: 19 MiB, two passes, one lane.
var passwordParams = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// hashing bounds how many passwords are hashed at once: each takes 19 MiB.
var hashing = make(chan struct{}, 2)

// dummyHash is compared with when the user is unknown, so that the answer takes as long.
var dummyHash = sync.OnceValue(func() string {
	h, _ := argon2id.CreateHash("no password is this", passwordParams)
	return h
})

// HashPassword checks and hashes a new password: 8 to 200 bytes of UTF-8.
func HashPassword(password string) (string, error) {
	if len(password) < 8 || len(password) > 200 || !utf8.ValidString(password) {
		return "", cloud.Errorf(cloud.CodeInvalid, "a password has 8 to 200 bytes")
	}
	hashing <- struct{}{}
	defer func() { <-hashing }()
	h, err := argon2id.CreateHash(password, passwordParams)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return h, nil
}

// CheckPassword compares; an empty hash stands for a user that does not exist and takes as long.
func CheckPassword(password, hash string) bool {
	unknown := hash == ""
	if unknown {
		hash = dummyHash()
	}
	if len(password) > 200 {
		password = ""
	}
	hashing <- struct{}{}
	defer func() { <-hashing }()
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return ok && err == nil && !unknown
}
