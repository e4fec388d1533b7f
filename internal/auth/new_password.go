package auth

import (
	"slices"
	"strings"
	"unicode/utf8"

	"picloud/internal/cloud"
)

// Length of a password in bytes.
const (
	minPassword = 8
	maxPassword = 200
)

// minDistinct is the least number of different characters in a password.
const minDistinct = 4

// firstGuesses are what the lists of leaked passwords begin with, as far as it is long enough. It is in
// lower case.
var firstGuesses = []string{
	"password", "password1", "password12", "password123", "password1234", "passw0rd", "p@ssword", "p@ssw0rd",
	"passwort", "iloveyou", "sunshine", "princess", "football", "baseball", "superman", "trustno1",
	"whatever", "starwars", "computer", "michelle", "jennifer", "1q2w3e4r", "1q2w3e4r5t", "1qaz2wsx",
	"zaq12wsx", "q1w2e3r4", "letmein1", "welcome1", "administrator", "changeme", "changeme1", "changeit",
	"picloud1", "picloud123", "admin123", "admin1234", "qwerty123", "qwerty12",
	"test1234", "aa123456", "secret123", "default1",
}

// rows are the sequences that people type without looking: those of the keyboard and of counting.
var rows = []string{
	"abcdefghijklmnopqrstuvwxyz", "01234567890",
	"qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm",
}

// CheckNewPassword refuses a password that a user must not be given: unless it is UTF-8 of 8 to 200 bytes,
// or when it is among the first that a guesser tries. Error: invalid.
func CheckNewPassword(username, password string) error {
	if len(password) < minPassword || len(password) > maxPassword || !utf8.ValidString(password) {
		return cloud.Errorf(cloud.CodeInvalid, "a password has %d to %d bytes", minPassword, maxPassword)
	}

	lower := strings.ToLower(password)
	switch {
	case distinct(lower) < minDistinct:
		return cloud.Errorf(cloud.CodeInvalid,
			"a password has at least %d different characters", minDistinct)
	case isSequence(lower):
		return cloud.Errorf(cloud.CodeInvalid,
			"this password is a row of the keyboard or counts up: choose another, such as several words")
	case lower == strings.ToLower(username), slices.Contains(firstGuesses, lower):
		return cloud.Errorf(cloud.CodeInvalid,
			"this password is among the first that a guesser tries: choose another, such as several words")
	default:
		return nil
	}
}

// distinct counts the different characters of a text.
func distinct(text string) int {
	seen := map[rune]bool{}
	for _, r := range text {
		seen[r] = true
	}
	return len(seen)
}

// isSequence reports whether a text, in lower case, is made of pieces of rows alone, forwards or backwards,
// each of at least four characters.
func isSequence(text string) bool {
	for text != "" {
		longest := 0
		for _, row := range rows {
			longest = max(longest, piece(text, row), piece(text, backwards(row)))
		}
		if longest < 4 {
			return false
		}
		text = text[longest:]
	}
	return true
}

// piece is how many bytes at the beginning of a text stand in a row one after the other.
func piece(text, row string) int {
	n := 0
	for n < len(text) && strings.Contains(row, text[:n+1]) {
		n++
	}
	return n
}

func backwards(row string) string {
	b := []byte(row)
	slices.Reverse(b)
	return string(b)
}
