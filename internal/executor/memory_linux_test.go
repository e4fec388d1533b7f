package executor

import (
	"os"
	"path/filepath"
	"testing"
)

// The memory of a process is bounded by its control group and by all above it, such as a unit's MemoryMax or a
// container's limit.
func TestCgroupMemory(t *testing.T) {
	t.Parallel()

	root := t.TempDir()
	for group, most := range map[string]string{
		"system.slice":                 "max\n",
		"system.slice/picloud.service": "500\n",
		"tight.slice":                  "300\n",
		"tight.slice/wide.service":     "900\n",
	} {
		dir := filepath.Join(root, group)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "memory.max"), []byte(most), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	for membership, want := range map[string]uint64{
		"0::/system.slice/picloud.service\n":                 500,
		"0::/system.slice\n":                                 1000,
		"0::/tight.slice/wide.service\n":                     300,
		"0::/system.slice/picloud.service/deeper/still\n":    500,
		"12:memory:/old\n0::/system.slice/picloud.service\n": 500,
		"0::/\n":            1000,
		"0::/../../outside": 1000,
		"":                  1000,
		"nonsense":          1000,
	} {
		if got := cgroupMemory(root, membership, 1000); got != want {
			t.Errorf("%q gives %d, want %d", membership, got, want)
		}
	}
	if MachineMemory() < 1<<20 {
		t.Errorf("this machine has %d bytes", MachineMemory())
	}
}
