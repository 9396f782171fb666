package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockRetry is between two tries for a lock that another process holds.
const lockRetry = 200 * time.Millisecond

// errHeld says that another process holds a lock.
var errHeld = errors.New("held by another process")

// Lock waits until no other process of this machine holds the file, and holds it until release, or until this process
// ends, however that is. The file is made, empty, and stays. If Lock has to wait, it says so: what is in use.
func (p *Printer) Lock(ctx context.Context, name, what string) (release func(), err error) {
	release, err = TryLock(name)
	if !errors.Is(err, errHeld) {
		return release, err
	}
	p.Line("waiting: %s in use by another command of the local run", what)
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: %w", name, ctx.Err())
		case <-time.After(lockRetry):
		}
		if release, err = TryLock(name); !errors.Is(err, errHeld) {
			return release, err
		}
	}
}

// TryLock is Lock for a caller that does not wait: if another process holds the file, it fails.
func TryLock(name string) (release func(), err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a file descriptor
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errHeld
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), file.Close())
	}
	return func() { _ = file.Close() }, nil // closing releases the lock
}

// Held says whether a process holds a lock.
func Held(name string) (bool, error) {
	release, err := TryLock(name)
	if errors.Is(err, errHeld) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	release()
	return false, nil
}
