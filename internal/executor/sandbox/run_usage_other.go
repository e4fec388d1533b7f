//go:build !linux

package sandbox

func (m *memoryFile) open() {}
