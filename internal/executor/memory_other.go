//go:build !linux

package executor

// MachineMemory is not known here: a machine of 2 GiB is assumed.
func MachineMemory() uint64 { return 2 << 30 }
