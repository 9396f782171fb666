// Package machine is what every part of the local run does on this machine: it starts helper processes, none of which
// outlives the process that started it, takes locks, and reports progress.
package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopWait is how long a child may take to end by itself after SIGTERM, before it is killed.
const stopWait = 5 * time.Second

// Process is a running child whose output goes to a log file.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
}

// Start runs the command with its output in logFile. The child dies with this process, however that ends.
func Start(name, logFile string, cmd *exec.Cmd) (*Process, error) {
	DieWithParent(cmd)
	return start(name, logFile, cmd)
}

// StartDetached is Start for a child that goes on when this process has ended, in a session of its own.
func StartDetached(name, logFile string, cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return start(name, logFile, cmd)
}

func start(name, logFile string, cmd *exec.Cmd) (*Process, error) {
	file, err := os.Create(logFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = file.Close() }() // the child holds its own copy
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	process := &Process{name: name, log: logFile, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(process.done)
	}()
	return process, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ready waits until probe answers without an error, the process ends, or limit passes.
func (p *Process) Ready(ctx context.Context, limit time.Duration, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		last := probe(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s: ended before it was ready: %s\n%s", p.name, p.cmd.ProcessState, Tail(p.log, 15))
		case <-ctx.Done():
			return fmt.Errorf("%s: not ready after %s: %w\n%s", p.name, limit, last, Tail(p.log, 15))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop asks the process to end, and kills it when it does not.
func (p *Process) Stop() error { return p.StopWithin(stopWait) }

// StopWithin is Stop for a process that needs its time.
func (p *Process) StopWithin(wait time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(wait):
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// reapWait is how long a process that has ended may stay as a zombie, until the one that started it, or init, has noticed.
const reapWait = 10 * time.Second

// End asks a process that another command started to end, and waits until it is gone. A zombie that nobody notices
// counts as gone.
func End(pid int, wait time.Duration) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop process %d: %w", pid, err)
	}
	begun := time.Now()
	ended := begun
	for ; !gone(pid); time.Sleep(50 * time.Millisecond) {
		switch {
		case Zombie(pid):
			if time.Since(ended) > reapWait {
				return nil
			}
		case time.Since(begun) > wait:
			return fmt.Errorf("process %d still runs %s after SIGTERM", pid, wait)
		default:
			ended = time.Now()
		}
	}
	return nil
}

// gone says whether there is no such process any more. It reaps a child of this process, which nobody else would do.
func gone(pid int) bool {
	reaped, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
	return err == nil && reaped == pid || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// Zombie says whether a process has ended, but is still listed. Only Linux tells.
func Zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && strings.HasPrefix(state, "Z")
}

// Tail returns the last lines of a log file, for an error a person reads.
func Tail(file string, lines int) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// FreeAddress returns a loopback address that nothing listens on at this moment.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a port of this machine: at once
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}
