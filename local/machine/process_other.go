//go:build !linux

package machine

import "os/exec"

// dieWithParent does nothing: only Linux ties a child to its parent. `down` ends what a killed driver left.
func dieWithParent(*exec.Cmd) {}
