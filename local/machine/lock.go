package machine

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock makes everybody else on this machine who asks for the same file wait until release, or until the process ends.
// The file is made, empty, and stays.
func Lock(name string) (release func(), err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil { //nolint:gosec // a file descriptor
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), file.Close())
	}
	return func() { _ = file.Close() }, nil // closing releases the lock
}
