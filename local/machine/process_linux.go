package machine

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel end the child when this process is killed: no signal handler runs then.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
