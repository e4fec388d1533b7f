package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ledger is what the load generator knows by itself: what it sent, and what PiCloud said it had done.
type ledger struct {
	mu    sync.Mutex      // guards all of it until the load was stopped; no other lock is taken under it
	sent  map[string]bool // events, true once acknowledged
	keys  map[string]bool // idempotency keys, true once answered
	wrong []string        // answers that no fault excuses

	requests, retries     int
	otherSent, otherWrong int
	otherWhy              string        // the last wrong answer of the other app
	slowest               time.Duration // answer of the other app
}

// send notes that an event's request is about to be sent.
func (l *ledger) send(event string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[event] = false
	l.requests++
}

// acknowledge notes that PiCloud has answered for an event.
func (l *ledger) acknowledge(event string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[event] = true
}

// promise notes an idempotency key whose request is about to be sent.
func (l *ledger) promise(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys[key] = false
}

// blame notes an answer that is wrong whatever was broken.
func (l *ledger) blame(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// load is the traffic of one round.
type load struct {
	lab    *lab
	prefix string // of the round's keys
	ledger ledger
	stopC  chan struct{} // closed to stop
	wg     sync.WaitGroup
	client *http.Client
}

// Load of a round: who sends, and how long each rests between requests.
const (
	producers = 4
	payers    = 2
	rest      = 4 * time.Millisecond
	stubborn  = 60 * time.Second // a payer asks again for so long after the load was stopped
)

func startLoad(l *lab, prefix string) *load {
	g := &load{
		lab:    l,
		prefix: prefix,
		stopC:  make(chan struct{}),
		client: &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
		ledger: ledger{sent: map[string]bool{}, keys: map[string]bool{}},
	}

	for k := range producers {
		g.wg.Go(func() { g.produce(k) })
	}

	for k := range payers {
		g.wg.Go(func() { g.pay(k) })
	}

	g.wg.Go(g.askOther)
	return g
}

func (g *load) stop() {
	close(g.stopC)
	g.wg.Wait()
	g.client.CloseIdleConnections()
}

func (g *load) stopped() bool {
	select {
	case <-g.stopC:
		return true
	case <-time.After(rest/2 + rand.N(rest)):
		return false
	}
}

// send gives the status, 0 when there was no answer.
func (g *load) send(method, path string, headers ...string) (int, string) {
	nodes := g.lab.nodes
	req, err := http.NewRequest(method, nodes[rand.IntN(len(nodes))].url()+path, nil)
	if err != nil {
		return 0, err.Error()
	}

	for k := 0; k+1 < len(headers); k += 2 {
		req.Header.Set(headers[k], headers[k+1])
	}

	res, err := g.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()

	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// produce makes events; one in twenty is poison. The last producer enqueues its requests instead of waiting.
func (g *load) produce(worker int) {
	var headers []string
	if worker == producers-1 {
		headers = []string{"Prefer", "respond-async", "Authorization", "Bearer " + g.lab.token}
	}

	for n := 0; !g.stopped(); n++ {
		id := fmt.Sprintf("%sw%d-%d", g.prefix, worker, n)
		collection := "event"
		if n%20 == 7 {
			collection = "poison"
		}
		g.ledger.send(collection + "/" + id)

		status, body := g.send("POST", "/f/default/produce?c="+collection+"&id="+id, headers...)
		switch {
		case status == http.StatusOK || status == http.StatusAccepted:
			g.ledger.acknowledge(collection + "/" + id)
		case status >= 400 && status < 500:
			g.ledger.blame("a good request was refused with %d: %s", status, body)
		}
	}
}

// pay sends requests that may be sent again, until each is answered; some are sent twice at the same moment.
func (g *load) pay(worker int) {
	for n := 0; !g.stopped(); n++ {
		key := fmt.Sprintf("%sp%d-%d", g.prefix, worker, n)
		g.ledger.promise(key)
		if n%10 == 0 {
			g.wg.Go(func() { g.payOnce(key) })
		}
		if !g.payUntilAnswered(key) {
			return
		}
	}
}

// payUntilAnswered repeats a request. Once the load was stopped, it gives up after a time, which is wrong.
func (g *load) payUntilAnswered(key string) bool {
	var giveUp time.Time

	for !g.payOnce(key) {
		if g.stopped() && giveUp.IsZero() {
			giveUp = time.Now().Add(stubborn)
		}
		if !giveUp.IsZero() && time.Now().After(giveUp) {
			g.ledger.blame("key %s was not answered within %s", key, stubborn)
			return false
		}
		time.Sleep(20*time.Millisecond + rand.N(30*time.Millisecond))
	}
	return true
}

// payOnce sends a keyed request and says whether it was answered for good.
func (g *load) payOnce(key string) bool {
	status, body := g.send("POST", "/f/default/pay", "Idempotency-Key", key)

	g.ledger.mu.Lock()
	defer g.ledger.mu.Unlock()
	g.ledger.requests++

	switch {
	case status == http.StatusOK:
		g.ledger.keys[key] = true
		return true
	case status == http.StatusConflict || status == http.StatusTooManyRequests:
		// Another call has the key at this moment, or the queue is full.
	case status >= 400 && status < 500:
		refusal := fmt.Sprintf("a keyed request was refused with %d: %s", status, body)
		g.ledger.wrong = append(g.ledger.wrong, refusal)
		return true
	}
	g.ledger.retries++
	return false
}

// askOther is the other app's traffic.
func (g *load) askOther() {
	for !g.stopped() {
		began := time.Now()
		status, body := g.send("GET", "/f/other/hello")
		g.ledger.mu.Lock()
		g.ledger.otherSent++
		g.ledger.slowest = max(g.ledger.slowest, time.Since(began))
		if status != http.StatusOK || body != "hello" {
			g.ledger.otherWrong++
			g.ledger.otherWhy = fmt.Sprintf("%d %s", status, strings.TrimSpace(body))
		}
		g.ledger.mu.Unlock()
	}
}
