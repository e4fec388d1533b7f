package auth

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
)

// cheap makes hashes in well under a millisecond.
func cheap() *Passwords { return NewPasswords(PasswordCost{MemoryKiB: 64, Iterations: 1}) }

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	passwords := cheap()
	const good = "a good password"
	hash, err := passwords.Hash(t.Context(), "", "ann", good)
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name, password, hash string
		want                 bool
	}{
		{"right", good, hash, true},
		{"wrong", "another password", hash, false},
		{"empty", "", hash, false},
		{"longer than any", good + strings.Repeat("x", 200), hash, false},
		{"no user", good, "", false},
		{"no user, and the password of the stand-in", "no password is this", "", false},
		{"a hash that is none", good, "plain", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := passwords.Check(t.Context(), "", c.password, c.hash)
			if got != c.want || err != nil {
				t.Errorf("got %v: %v", got, err)
			}
		})
	}
}

// Two hashes of one password differ, and a password that may not be given has none.
func TestHashPassword(t *testing.T) {
	t.Parallel()
	passwords := cheap()
	const good = "a good password"

	hash, err := passwords.Hash(t.Context(), "", "ann", good)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := passwords.Check(t.Context(), "", good, hash); !ok || err != nil {
		t.Errorf("the password does not have its hash: %v", err)
	}
	if again, err := passwords.Hash(t.Context(), "", "ann", good); err != nil || again == hash {
		t.Errorf("two hashes have one salt: %v", err)
	}

	hash, err = passwords.Hash(t.Context(), "", "ann", "12345678")
	if hash != "" || err == nil || cloud.CodeOf(err) != cloud.CodeInvalid {
		t.Errorf("hash %q: %v", hash, err)
	}
}

// A hash carries its cost: the default is what OWASP asks for, and a change of it makes no old password
// wrong.
func TestPasswordCost(t *testing.T) {
	t.Parallel()
	hash, err := NewPasswords(DefaultPasswordCost()).Hash(t.Context(), "", "ann", "a good password")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %s: %v", hash, err)
	}
	if ok, err := cheap().Check(t.Context(), "", "a good password", hash); !ok || err != nil {
		t.Errorf("a hash of another cost is not checked: %v", err)
	}
}
