package pglocal

import (
	"bytes"
	"io"
	"os"
	"strings"
)

// lastWordsWithin is how much of the end of its log a server's last words are looked for in, in bytes. What
// it logs on the way down is a few lines, unless it names the statement that failed.
const lastWordsWithin = 64 << 10

// LastWords is why a server has ended, as far as its log says: the text of the last line by which it, or one
// of its processes, gave up since it was started. It is empty if there is none, as after a signal.
func (s *Server) LastWords() string {
	file, err := os.Open(s.place.logFile())
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()

	info, err := file.Stat()
	if err != nil {
		return ""
	}
	from := max(s.logFrom, info.Size()-lastWordsWithin)
	log, err := io.ReadAll(io.NewSectionReader(file, from, info.Size()-from))
	if err != nil {
		return ""
	}

	return lastWords(log)
}

func lastWords(log []byte) string {
	words := ""
	for line := range bytes.Lines(log) {
		for _, severity := range []string{"] PANIC:  ", "] FATAL:  "} {
			if _, text, found := strings.Cut(string(line), severity); found {
				words = strings.TrimSpace(text)
			}
		}
	}
	return words
}

// because adds the reason of an end to a sentence about it, if there is one.
func because(words string) string {
	if words == "" {
		return ""
	}
	return " (" + words + ")"
}
