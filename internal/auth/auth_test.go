package auth

import (
	"testing"
	"time"

	"picloud/internal/cloud"
)

func TestMay(t *testing.T) {
	user := &Principal{Username: "u", Role: RoleMember}
	for _, c := range []struct {
		role string
		need Capability
		want cloud.Code
	}{
		{AppViewer, ReadKV, ""}, {AppViewer, WriteKV, cloud.CodeForbidden}, {AppEditor, WriteKV, ""}, {AppEditor, WriteTriggers, cloud.CodeForbidden},
		{AppAdmin, WriteTriggers, ""}, {"", ReadKV, cloud.CodeNotFound}, {"emperor", ReadKV, cloud.CodeNotFound},
	} {
		err := user.May(c.need, c.role, 1)
		if (err == nil) != (c.want == "") || err != nil && cloud.CodeOf(err) != c.want {
			t.Errorf("%q for %v: %v", c.role, c.need, err)
		}
	}
	key := &Principal{Username: "u", Key: true, Scopes: []string{"kv:read"}, KeyApp: 1}
	if err := key.May(ReadKV, AppAdmin, 1); err != nil {
		t.Errorf("a key within its scope: %v", err)
	}
	if err := key.May(WriteKV, AppAdmin, 1); cloud.CodeOf(err) != cloud.CodeForbidden {
		t.Errorf("a key beyond its scope: %v", err)
	}
	if err := key.May(ReadKV, AppAdmin, 2); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("a key in another app: %v", err)
	}
}

func TestPasswords(t *testing.T) {
	passwords := NewPasswords(PasswordCost{MemoryKiB: 64, Iterations: 1})
	h, err := passwords.Hash("a good password")
	if err != nil {
		t.Fatal(err)
	}
	if !passwords.Check("a good password", h) || passwords.Check("another password", h) || passwords.Check("a good password", "") {
		t.Error("the password is not checked")
	}
	if _, err := passwords.Hash("short"); err == nil {
		t.Error("a short password was accepted")
	}
}

func TestThrottle(t *testing.T) {
	th := NewThrottle()
	now := time.Now()
	for range userBurst {
		if th.Wait("1.1.1.1", "ann", now) != 0 {
			t.Fatal("throttled too early")
		}
		th.Failed("1.1.1.1", "ann", now)
	}
	if w := th.Wait("1.1.1.1", "ann", now); w <= 0 || w > userRefill {
		t.Errorf("wait %s", w)
	}
	if th.Wait("2.2.2.2", "ann", now) != 0 {
		t.Error("the user is locked out elsewhere")
	}
	if th.Wait("1.1.1.1", "ann", now.Add(userRefill)) != 0 {
		t.Error("failures are not forgiven")
	}
	for k := range clientBurst {
		th.Failed("3.3.3.3", string(rune('a'+k)), now)
	}
	if th.Wait("3.3.3.3", "zoe", now) == 0 {
		t.Error("one client can try any number of users")
	}
}

func TestOwnCredentials(t *testing.T) {
	for h, want := range map[string]bool{"Bearer pic_x": true, "bearer  pcs_x": true, "Basic pic_x": true, "Bearer abc": false, "": false, "pic_x": false} {
		if IsOwnCredential(h) != want {
			t.Errorf("%q", h)
		}
	}
}
