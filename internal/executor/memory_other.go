//go:build !linux

package executor

// machineMemory is not known here: a machine of 2 GiB is assumed.
func machineMemory() uint64 { return 2 << 30 }
