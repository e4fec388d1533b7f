package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"picloud/internal/testkit"
	"picloud/internal/testkit/machine"
)

func freePort(t *testing.T) string {
	t.Helper()
	addr, err := machine.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}

	return addr[strings.LastIndexByte(addr, ':')+1:]
}

// startCaddy runs the Caddyfile of this repository in front of nodes, with certificates of its own authority.
// The client trusts that and finds every host there.
func startCaddy(t *testing.T, upstreams ...string) (client *http.Client, port string) {
	t.Helper()
	home := t.TempDir()
	port = freePort(t)
	admin := "admin.localhost"
	scripts := []string{"scripts.localhost", "shop.localhost"}

	// Caddy's cleaner, which starts with it, deletes a certificate's folder that is empty still, and Caddy
	// tries again a minute later.
	for _, host := range append([]string{admin}, scripts...) {
		if err := os.MkdirAll(filepath.Join(home, "caddy", "certificates", "local", host, "keep"), 0o700); err != nil {
			t.Fatal(err)
		}
	}

	cmd := exec.Command("caddy", "run", "--adapter", "caddyfile", "--config", filepath.Join(testkit.Root(), "Caddyfile"))
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home, "PICLOUD_HTTPS_PORT="+port, "PICLOUD_HTTP_PORT="+freePort(t),
		"PICLOUD_CADDY_ADMIN=off", "PICLOUD_CADDY_OPTIONS=skip_install_trust", "PICLOUD_ADMIN_HOST="+admin, "PICLOUD_SCRIPT_HOSTS="+strings.Join(scripts, ", "),
		"PICLOUD_UPSTREAMS="+strings.Join(upstreams, " "), "PICLOUD_ADMIN_UPSTREAMS="+strings.Join(upstreams, " "))
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("caddy: %v (`make test` installs it)", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	authority := x509.NewCertPool()
	client = &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 50, TLSClientConfig: &tls.Config{RootCAs: authority},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
		}}}
	t.Cleanup(client.CloseIdleConnections)

	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		root, err := os.ReadFile(filepath.Join(home, "caddy", "pki", "authorities", "local", "root.crt"))
		if err == nil && authority.AppendCertsFromPEM(root) {
			if res, err := client.Get("https://admin.localhost/healthz"); err == nil {
				_ = res.Body.Close()
				if res.StatusCode == 200 {
					return client, port
				}
			}
		}
		if time.Now().After(end) {
			t.Fatalf("caddy did not start: %s", out.String())
		}
	}
}

// Two nodes behind the real Caddy: one is killed under load, comes back, and the other is stopped. No request
// that may be sent again fails, and what was done by a key was done once. The edge is as it is without Caddy,
// over TLS.
func TestCaddy(t *testing.T) {
	t.Parallel()
	env := []string{"DATABASE_URL=" + newDatabase(t), "PICLOUD_SECRET_KEY=" + testKey, "PICLOUD_LEASE=2s",
		"PICLOUD_ADMIN_HOST=admin.localhost", "PICLOUD_TRUSTED_PROXIES=127.0.0.1"}
	a := startProcess(t, env...)
	defer func() { a.kill() }()
	b := startProcess(t, env...)
	defer func() { b.kill() }()
	client, port := startCaddy(t, strings.TrimPrefix(a.url, "http://"), strings.TrimPrefix(b.url, "http://"))
	w := &fixture{t: t, base: "https://admin.localhost:" + port, http: client}
	w.token = w.login("admin", testPassword)

	w.api("PUT", "/apps/default/scripts/count", map[string]any{"source": `import { kv } from "picloud";
		export default async (request) => {
			if (request.method === "GET") return { n: await kv.collection("done").get("k0-1"), url: request.url, client: request.headers.get("x-forwarded-for") };
			await kv.collection("done").increment(request.headers.get("idempotency-key")); return "ok"; }`}).want(201)
	w.api("PUT", "/apps/default/scripts/stream", map[string]any{"source": `export default () => new Response(new ReadableStream({ async start(c) {
		for (let n = 0; n < 3; n++) { c.enqueue(new TextEncoder().encode(n + "\n")); await new Promise((r) => setTimeout(r, 200)); } c.close(); } }))`}).want(201)

	// The edge.
	r := w.do("GET", "https://scripts.localhost:"+port+"/f/default/count?a=b", nil, "X-Forwarded-For", "6.6.6.6", "X-Forwarded-Host", "evil.test", "X-Forwarded-Proto", "http").want(200)
	if r.str("url") != "https://scripts.localhost:"+port+"/f/default/count?a=b" {
		t.Errorf("the script sees %s", r.body)
	}

	w.do("GET", "https://scripts.localhost:"+port+"/admin/login", nil).want(404)
	w.do("GET", "https://admin.localhost:"+port+"/f/default/count", nil).want(404)
	if page := w.do("GET", "https://admin.localhost:"+port+"/admin/login", nil).want(200); !strings.Contains(page.body, "Log in") {
		t.Errorf("login page: %s", page.body)
	}
	if res, err := client.Post("https://scripts.localhost/f/default/count", "text/plain", io.LimitReader(zeros{}, 20<<20)); err == nil {
		_ = res.Body.Close()
		if res.StatusCode != 413 {
			t.Errorf("a body of 20 MiB: %d", res.StatusCode)
		}
	}

	began := time.Now()
	res, err := client.Get("https://scripts.localhost/f/default/stream")
	if err != nil {
		t.Fatal(err)
	}

	first := make([]byte, 2)
	_, _ = io.ReadFull(res.Body, first)
	early := time.Since(began)
	rest, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if string(first)+string(rest) != "0\n1\n2\n" || early >= time.Since(began)-200*time.Millisecond {
		t.Errorf("the stream came as %q after %s and %q", first, early, rest)
	}

	// The load.
	var sent, answered, failed atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	fail := func(format string, args ...any) {
		if failed.Add(1) <= 5 {
			t.Errorf(format, args...)
		}
	}

	for worker := range 6 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("k%d-%d", worker, n)
				method := []string{"GET", "POST"}[n%2]
				req, _ := http.NewRequest(method, "https://scripts.localhost/f/default/count", nil)
				if method == "POST" {
					req.Header.Set("Idempotency-Key", key)
				}
				res, err := client.Do(req)
				if err != nil {
					fail("%s: %v", method, err)
					continue
				}
				body, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if res.StatusCode != 200 {
					fail("%s: %d %s", method, res.StatusCode, body)
				}
				answered.Add(1)
				if method == "POST" {
					sent.Add(1)
				}
			}
		})
	}

	// Each phase is so many answers long: under load before the kill, while one node is gone, after the other
	// has gone.
	answers := func(n int64) {
		t.Helper()
		from := answered.Load()
		w.eventually(fmt.Sprintf("%d more answers", n), func() bool { return answered.Load() >= from+n })
	}

	answers(200)
	a.kill()
	answers(200)
	a.restart(env...)
	ran := regexp.MustCompile(`picloud_runs_total\{outcome="succeeded"\} (\d+)`)
	direct := &fixture{t: t, base: a.url, http: defaultClient()}
	w.eventually("Caddy asks the node that came back", func() bool {
		metrics := direct.do("GET", "/metrics", nil, "Host", "admin.localhost", "Authorization", "Bearer "+w.token)
		m := ran.FindStringSubmatch(metrics.body)
		return m != nil && len(m[1]) >= 2 // ten runs or more
	})

	b.terminate()
	answers(200)
	b.wait()
	answers(50)
	close(stop)
	wg.Wait()

	done := w.allKeys("done")
	for key, n := range done {
		if n != 1.0 {
			t.Errorf("%s was done %v times", key, n)
		}
	}

	if int64(len(done)) != sent.Load() {
		t.Errorf("%d sent, %d done", sent.Load(), len(done))
	}
	t.Logf("%d requests with a key, %d failures", sent.Load(), failed.Load())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
