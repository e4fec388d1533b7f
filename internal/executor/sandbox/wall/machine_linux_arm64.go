package wall

import "golang.org/x/sys/unix"

const architecture = unix.AUDIT_ARCH_AARCH64

// machineRules are the calls that exist only on this architecture: none.
func machineRules() []rule { return nil }
