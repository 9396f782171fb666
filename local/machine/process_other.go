//go:build !linux

package machine

import (
	"os/exec"
	"syscall"
)

// DieWithParent keeps the terminal's signals from the child. Only Linux ties it to its parent, too.
func DieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
