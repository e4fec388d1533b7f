package auth

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
)

// What a guesser tries first is no password; any other of the right length is one.
func TestCheckNewPassword(t *testing.T) {
	t.Parallel()

	const (
		length   = "a password has 8 to 200 bytes"
		few      = "a password has at least 4 different characters"
		sequence = "this password is a row of the keyboard or counts up"
		known    = "this password is among the first that a guesser tries"
	)
	for _, c := range []struct{ name, password, refused string }{
		{"words", "correct horse", ""},
		{"shortest", "k7#hq2vM", ""},
		{"longest", strings.Repeat("k7#h", 50), ""},
		{"letters beyond ASCII", "Blümchen", ""},
		{"a sequence with an end of its own", "12345678xk", ""},
		{"short", "k7#hq2v", length},
		{"long", strings.Repeat("k7#h", 50) + "x", length},
		{"invalid UTF-8", "k7#hq2vM\xff", length},
		{"spaces", "        ", few},
		{"tabs and spaces", " \t \t \t \t", few},
		{"one character", "aaaaaaaa", few},
		{"one character in two cases", "aAaAaAaA", few},
		{"three characters", "abcabcabcabc", few},
		{"counting", "12345678", sequence},
		{"counting to ten", "1234567890", sequence},
		{"counting down", "87654321", sequence},
		{"counting twice", "12341234", sequence},
		{"the alphabet", "abcdefgh", sequence},
		{"the keyboard", "QWERTYUIOP", sequence},
		{"two rows", "qwertyasdfgh", sequence},
		{"letters, then counting", "abcd1234", sequence},
		{"the word", "password", known},
		{"the word in capitals", "PassWord1", known},
		{"the username", "Ann.Lee@x", known},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := CheckNewPassword("ann.lee@x", c.password)
			if c.refused == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The list has what the other rules let through, in the form in which it is compared.
func TestFirstGuesses(t *testing.T) {
	t.Parallel()

	for _, guess := range firstGuesses {
		if len(guess) < minPassword || distinct(guess) < minDistinct || isSequence(guess) ||
			guess != strings.ToLower(guess) {
			t.Errorf("%q is refused anyway, or never compared", guess)
		}
	}
}
