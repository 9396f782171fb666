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

// ErrHeld says that another process holds a lock.
var ErrHeld = errors.New("held by another process")

// Lock waits until no other process of this machine holds the file, and holds it until release, or until this process
// ends, however that is. The file is made, empty, and stays. If Lock has to wait, it says so: what is in use.
func (p *Printer) Lock(ctx context.Context, name, what string) (release func(), err error) {
	return p.wait(ctx, name, what, TryLock)
}

// Share is Lock for any number of processes that hold the file together, and keep away the ones that want it alone.
func (p *Printer) Share(ctx context.Context, name, what string) (release func(), err error) {
	return p.wait(ctx, name, what, tryShare)
}

func (p *Printer) wait(ctx context.Context, name, what string, try func(string) (func(), error)) (release func(), err error) {
	release, err = try(name)
	if !errors.Is(err, ErrHeld) {
		return release, err
	}
	p.Line("waiting: %s in use by another command of the local run", what)
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: %w", name, ctx.Err())
		case <-time.After(lockRetry):
		}
		if release, err = try(name); !errors.Is(err, ErrHeld) {
			return release, err
		}
	}
}

// TryLock is Lock for a caller that does not wait: if another process holds the file, it fails.
func TryLock(name string) (release func(), err error) { return try(name, syscall.LOCK_EX) }

func tryShare(name string) (release func(), err error) { return try(name, syscall.LOCK_SH) }

func try(name string, how int) (release func(), err error) {
	// To read is enough: a file of root's can be shared by everybody.
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB) //nolint:gosec // a file descriptor
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrHeld
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), file.Close())
	}
	return func() { _ = file.Close() }, nil // closing releases the lock
}

// Held says whether a process holds a lock.
func Held(name string) (bool, error) {
	release, err := TryLock(name)
	if errors.Is(err, ErrHeld) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	release()
	return false, nil
}
