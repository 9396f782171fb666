package machine

import (
	"os/exec"
	"syscall"
)

// DieWithParent makes the kernel end the child when this process is killed: no signal handler runs then. The terminal's
// signals do not reach the child, which gets those of this process alone.
func DieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
