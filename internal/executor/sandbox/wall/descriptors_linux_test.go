package wall

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// printInherited closes what the process has inherited, and says from which of the first descriptors the
// secret can be read, and how soon the process is killed for want of memory.
func printInherited() {
	if err := CloseInherited(3); err != nil {
		fmt.Println(err)
	}
	preferKill()

	for fd := range 20 {
		var b [1]byte
		if n, _ := unix.Pread(fd, b[:], 0); n == 1 && b[0] == 's' {
			fmt.Print(fd, " ")
		}
	}
	score, _ := os.ReadFile("/proc/self/oom_score_adj")
	fmt.Print("score ", strings.TrimSpace(string(score)))
}

// A child has nothing of what its parent left open without close-on-exec, and is the first to go when memory
// runs out.
func TestCloseInherited(t *testing.T) {
	t.Parallel()

	secret := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(secret)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()

	cmd := exec.Command(os.Args[0], "inherited")
	cmd.ExtraFiles = []*os.File{open, open, nil, open} // 3, which is the connection's, 4 and 6
	out, err := cmd.Output()
	if want := "3 score 1000"; err != nil || string(out) != want {
		t.Errorf("the child has %q (%v), want %q", out, err, want)
	}
}
