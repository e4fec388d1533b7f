package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"picloud/internal/testkit/machine"
)

const password = "bench password"

// picloud is a running binary and its owner's credential.
type picloud struct {
	cmd   *exec.Cmd
	url   string
	token string
	start time.Duration // to the first answer
}

// startPicloud starts a PiCloud on a database, one of its own if there is none, with more settings.
func startPicloud(binary, database string, env ...string) (*picloud, error) {
	addr, err := machine.FreeAddress()
	if err != nil {
		return nil, err
	}

	p := &picloud{url: "http://" + addr, cmd: exec.Command(binary, "serve")}
	p.cmd.Env = append(os.Environ(),
		"DATABASE_URL="+database,
		"PICLOUD_LISTEN="+addr,
		"PICLOUD_ADMIN_PASSWORD="+password,
		"PICLOUD_SECRET_KEY=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
		"PICLOUD_FETCH_ALLOW_PRIVATE=true",
	)
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stderr = os.Stderr
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}

	for {
		res, err := http.Get(p.url + "/healthz")
		if err == nil {
			_ = res.Body.Close()
			break
		}
		if time.Since(began) > 30*time.Second {
			p.stop()
			return nil, fmt.Errorf("picloud did not answer: %w", err)
		}
		time.Sleep(time.Millisecond)
	}

	p.start = time.Since(began)
	out, err := p.api("POST", "/auth/login", map[string]string{"username": "admin", "password": password})
	if err != nil {
		p.stop()
		return nil, err
	}

	p.token, _ = out["token"].(string)
	return p, nil
}

// restart starts PiCloud anew, with the same database and more settings.
func (b *bench) restart(env ...string) (err error) {
	b.p.stop()
	b.p, err = startPicloud(b.binary, b.pg.URL(), env...)
	return err
}

// get calls an endpoint.
func (p *picloud) get(path string) error {
	res, err := http.Get(p.url + path)
	if err != nil {
		return err
	}

	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s: %d", path, res.StatusCode)
	}

	return nil
}

func (p *picloud) addr() string { return strings.TrimPrefix(p.url, "http://") }

func (p *picloud) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

func (p *picloud) api(method, path string, body any) (map[string]any, error) {
	enc, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}

	req, err := http.NewRequest(method, p.url+"/api/v1"+path, bytes.NewReader(enc))
	if err != nil {
		return nil, err
	}

	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()

	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}

	if res.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, raw)
	}

	out := map[string]any{}
	_ = json.Unmarshal(raw, &out)
	return out, nil
}

func (p *picloud) deploy(name, source string) error {
	_, err := p.api("PUT", "/apps/default/scripts/"+name, map[string]any{"source": source})
	return err
}

// cpu is the time that a process and all its descendants have used (proc_pid_stat(5)), those that ended
// included.
func cpu(root int) time.Duration {
	type proc struct {
		parent int
		ticks  int64
	}

	all := map[int]proc{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")

	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}

		_, rest, ok := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 15 {
			continue
		}

		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		parent, _ := strconv.Atoi(fields[1])
		var ticks int64

		for _, k := range []int{11, 12, 13, 14} { // utime, stime, cutime, cstime
			n, _ := strconv.ParseInt(fields[k], 10, 64)
			ticks += n
		}

		all[pid] = proc{parent, ticks}
	}

	var total int64
	for pid, pr := range all {
		for p := pid; p > 1; p = all[p].parent {
			if p == root {
				total += pr.ticks
				break
			}
		}
	}

	return time.Duration(total) * 10 * time.Millisecond
}

// resident is the private memory of a process and its descendants in MiB.
func resident(root int) float64 {
	var kib float64
	files, _ := filepath.Glob("/proc/[0-9]*/smaps_rollup")

	for _, f := range files {
		pid := filepath.Base(filepath.Dir(f))
		if !descends(pid, root) {
			continue
		}

		b, _ := os.ReadFile(f)
		for _, line := range strings.Split(string(b), "\n") {
			if name, rest, _ := strings.Cut(line, ":"); name == "Pss" {
				n, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				kib += n
			}
		}
	}

	return kib / 1024
}

func descends(pid string, root int) bool {
	for p := pid; p != "0" && p != "1" && p != ""; {
		if p == strconv.Itoa(root) {
			return true
		}
		b, err := os.ReadFile("/proc/" + p + "/stat")
		if err != nil {
			return false
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			return false
		}
		p = fields[1]
	}

	return false
}
