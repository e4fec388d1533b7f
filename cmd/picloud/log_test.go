package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// What a script's upstream sends unasked stays out of the log, where net/http would print it. What libraries log
// by package slog has the program's format.
func TestOpenLog(t *testing.T) {
	previous := slog.Default()
	defer func() {
		slog.SetDefault(previous)
		slog.SetLogLoggerLevel(slog.LevelInfo)
		log.SetOutput(os.Stderr)
		log.SetFlags(log.LstdFlags)
	}()

	for format, want := range map[string]string{"text": "msg=hello", "json": `"msg":"hello"`} {
		var written bytes.Buffer
		openLog(&written, format)

		fetchUnsolicited(t)
		if written.Len() != 0 {
			t.Errorf("%s: the log has %s", format, written.String())
		}
		slog.Warn("hello")
		if !strings.Contains(written.String(), want) {
			t.Errorf("%s: the log has %s, want %s", format, written.String(), want)
		}
	}
}

// fetchUnsolicited makes a request whose upstream sends more than its answer, and returns when net/http has seen
// that.
func fetchUnsolicited(t *testing.T) {
	t.Helper()
	near, far := net.Pipe()
	client := http.Client{Transport: &http.Transport{Dial: func(string, string) (net.Conn, error) { return near, nil }}}
	closed := make(chan error, 1)
	go func() {
		r := bufio.NewReader(far)
		if _, err := http.ReadRequest(r); err != nil {
			closed <- err
			return
		}
		fmt.Fprint(far, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokEVIL")
		_, err := r.ReadByte()
		closed <- err
	}()

	res, err := client.Get("http://x.test/")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err := <-closed; err != io.EOF {
		t.Errorf("the connection did not end: %v", err)
	}
}
