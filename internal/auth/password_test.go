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
	hash, err := passwords.Hash(good)
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
			if got := passwords.Check(c.password, c.hash); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestHashPassword(t *testing.T) {
	t.Parallel()

	passwords := cheap()
	for _, c := range []struct {
		name, password string
		ok             bool
	}{
		{"shortest", "12345678", true},
		{"longest", strings.Repeat("x", 200), true},
		{"short", "1234567", false},
		{"long", strings.Repeat("x", 201), false},
		{"invalid UTF-8", "12345678\xff", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hash, err := passwords.Hash(c.password)
			if !c.ok {
				if cloud.CodeOf(err) != cloud.CodeInvalid ||
					!strings.Contains(err.Error(), "a password has 8 to 200 bytes") {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || !passwords.Check(c.password, hash) {
				t.Errorf("the password does not have its hash: %v", err)
			}
			if again, err := passwords.Hash(c.password); err != nil || again == hash {
				t.Errorf("two hashes have one salt: %v", err)
			}
		})
	}
}

// A hash carries its cost: the default is what OWASP asks for, and a change of it makes no old password
// wrong.
func TestPasswordCost(t *testing.T) {
	t.Parallel()
	hash, err := NewPasswords(DefaultPasswordCost()).Hash("a good password")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %s: %v", hash, err)
	}
	if !cheap().Check("a good password", hash) {
		t.Error("a hash of another cost is not checked")
	}
}
