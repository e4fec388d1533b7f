package sandbox

import "os"

func (m *memoryFile) open() { m.file, _ = os.Open("/proc/self/status") }
