package testcloud_test

import (
	"os"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/testkit"
	"picloud/internal/testkit/testcloud"
)

func TestMain(m *testing.M) { os.Exit(testkit.MainWithoutLeaks(m)) }

// A request runs a script, its write raises an event on either node, and everything stops without leaving a
// goroutine.
func TestCloud(t *testing.T) {
	t.Parallel()
	c := testcloud.New(t)
	c.Deploy("handler", func(r *testcloud.Run) cloud.Outcome {
		_ = r.Set("seen", "by", `"`+r.Handler+`"`)
		return cloud.Outcome{Status: cloud.Succeeded}
	})
	c.OnKV("in", "handler", 1)
	c.Deploy("hello", func(r *testcloud.Run) cloud.Outcome {
		if err := r.Set("in", "a", "1"); err != nil {
			return testcloud.Fail(err.Error())
		}
		return testcloud.OK("hello")
	})
	other := c.Join("two")

	for _, node := range []*testcloud.Cloud{c, other} {
		if reply := node.Call("hello"); reply.Status != 200 || string(reply.Response.Body) != "hello" {
			t.Fatalf("reply %+v", reply)
		}
	}
	c.AwaitEmptyOutbox()
	if got := c.Text("SELECT value FROM kv WHERE collection = 'seen'"); got != `"kv"` {
		t.Errorf("the handler left %s", got)
	}
	if n := c.Count("SELECT count(*) FROM audit"); n != 3 {
		t.Errorf("%d definitions were audited", n)
	}
	other.Stop()
	if n := c.Count("SELECT count(*) FROM nodes"); n != 1 {
		t.Errorf("%d nodes are left", n)
	}
}
