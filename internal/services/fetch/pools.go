package fetch

import (
	"context"
	"net"
	"net/http"
	"sync"

	"picloud/internal/cloud"
)

// pools keeps the connections to upstreams, those of each app apart: an upstream that takes the body of one
// request for the beginning of the next would let one app decide what another receives. A pool is forgotten
// with its last connection, at the latest idleConnTimeout after the app's last request.
type pools struct {
	dial dialFunc
	max  int // connections that may be open before idle ones are closed

	// mu guards what is below, and users, open and dropped of each pool. It is a leaf: no other lock is taken
	// under it.
	mu   sync.Mutex
	apps map[cloud.AppID]*pool
	open int // connections of all pools but the dropped ones
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func newPools(dial dialFunc, most int) *pools {
	return &pools{dial: dial, max: most, apps: map[cloud.AppID]*pool{}}
}

// pool has the connections of one app.
type pool struct {
	pools     *pools
	app       cloud.AppID
	transport *http.Transport

	users   int // requests between enter and leave
	open    int // connections, the idle ones and those in use
	dropped bool
}

// enter gives the pool of an app to a request, until leave.
func (p *pools) enter(app cloud.AppID) *pool {
	p.mu.Lock()
	defer p.mu.Unlock()

	q := p.apps[app]
	if q == nil {
		q = p.newPool(app)
		p.apps[app] = q
	}
	q.users++

	return q
}

// newPool ignores proxy settings of the environment: a proxy would dial what the guard refuses.
func (p *pools) newPool(app cloud.AppID) *pool {
	q := &pool{pools: p, app: app}
	q.transport = &http.Transport{
		DialContext:            q.dial,
		Proxy:                  nil,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxIdlePerApp,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleConnTimeout,
		TLSHandshakeTimeout:    tlsTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
	return q
}

// leave ends what enter began. The body of the response may go on.
func (p *pools) leave(q *pool) {
	p.mu.Lock()
	q.users--
	p.forgetUnused(q)
	isOver := q.dropped && q.users == 0
	p.mu.Unlock()

	// A request that was under way when the pool was dropped may have left its connection idle.
	if isOver {
		q.transport.CloseIdleConnections()
	}
}

// dial is the transport's way to a new connection.
func (q *pool) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := q.pools.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}

	q.pools.opened(q)
	return &countedConn{Conn: conn, pool: q}, nil
}

// opened counts a connection. If there are too many, the pool that has most of them is dropped: its idle
// connections end at once, and those in use with their request.
func (p *pools) opened(q *pool) {
	p.mu.Lock()
	q.open++
	if !q.dropped {
		p.open++
	}

	var biggest *pool
	if p.open > p.max {
		biggest = p.dropBiggest()
	}
	p.mu.Unlock()

	if biggest != nil {
		biggest.transport.CloseIdleConnections()
	}
}

// dropBiggest forgets the pool with the most connections; the app's next request makes a new one. The caller
// holds mu.
func (p *pools) dropBiggest() *pool {
	var biggest *pool
	for _, q := range p.apps {
		if biggest == nil || q.open > biggest.open {
			biggest = q
		}
	}
	if biggest == nil {
		return nil
	}

	biggest.dropped = true
	p.open -= biggest.open
	delete(p.apps, biggest.app)

	return biggest
}

func (p *pools) closed(q *pool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	q.open--
	if !q.dropped {
		p.open--
	}
	p.forgetUnused(q)
}

// forgetUnused lets go of a pool that nobody uses. The caller holds mu.
func (p *pools) forgetUnused(q *pool) {
	if q.users == 0 && q.open == 0 && p.apps[q.app] == q {
		delete(p.apps, q.app)
	}
}

// countedConn tells its pool when it is closed.
type countedConn struct {
	net.Conn
	pool *pool
	once sync.Once
}

// Close ends the connection; further calls do nothing but return its error.
func (c *countedConn) Close() error {
	c.once.Do(func() { c.pool.pools.closed(c.pool) })
	return c.Conn.Close()
}
