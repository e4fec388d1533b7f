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
	for file, most := range map[string]string{
		"system.slice/memory.max":                 "max\n",
		"system.slice/picloud.service/memory.max": "500\n",
		"tight.slice/memory.max":                  "300\n",
		"tight.slice/wide.service/memory.max":     "900\n",
		// Those of version 1 are in a folder of their own.
		"memory/memory.limit_in_bytes":            "9223372036854771712\n",
		"memory/docker/memory.limit_in_bytes":     "400\n",
		"memory/docker/one/memory.limit_in_bytes": "600\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), []byte(most), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	for membership, want := range map[string]uint64{
		"0::/system.slice/picloud.service\n":                 500,
		"0::/system.slice\n":                                 1000,
		"0::/tight.slice/wide.service\n":                     300,
		"0::/system.slice/picloud.service/deeper/still\n":    500,
		"12:memory:/old\n0::/system.slice/picloud.service\n": 500,
		"9:memory:/docker/one\n0::/\n":                       400,
		"0::/tight.slice\n9:memory:/docker\n":                300,
		"9:memory:/not/mounted/here\n":                       1000,
		"9:cpu:/docker\n":                                    1000,
		"0::/\n":                                             1000,
		"0::/../../outside":                                  1000,
		"":                                                   1000,
		"nonsense":                                           1000,
	} {
		if got := cgroupMemory(root, membership, 1000); got != want {
			t.Errorf("%q gives %d, want %d", membership, got, want)
		}
	}
	if MachineMemory() < 1<<20 {
		t.Errorf("this machine has %d bytes", MachineMemory())
	}
}

// What a process has counts without the pages of files, which all children share.
func TestResidentOf(t *testing.T) {
	t.Parallel()

	for statm, want := range map[string]int{
		"500000 3072 512 4000 0 20000 0\n": 10,
		"1 0 0 0 0 0 0":                    0,
		"":                                 -1,
		"1 2":                              -1,
		"1 x 3":                            -1,
		"1 2 x":                            -1,
	} {
		mib, ok := residentOf(statm, 4096)
		if ok != (want >= 0) || ok && mib != want {
			t.Errorf("%q: %d MiB, %v; want %d", statm, mib, ok, want)
		}
	}

	if mib, ok := openMemory(os.Getpid()).resident(); !ok || mib < 1 {
		t.Errorf("this process has %d MiB, %v", mib, ok)
	}
	if _, ok := openMemory(0).resident(); ok {
		t.Error("a process of another namespace is known")
	}
}
