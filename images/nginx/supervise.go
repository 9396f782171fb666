package nginx

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// pidFile is there as soon as NGINX handles signals.
const pidFile = folder + "/nginx.pid"

// stopSocket is where NGINX answers its status page once it has left its port.
const stopSocket = folder + "/stop.sock"

// Check lets NGINX read its configuration, and returns its exit status.
func (s Settings) Check() (int, error) {
	n, err := start(os.Stderr, "-t")
	if err != nil {
		return 1, err
	}

	return n.wait(), nil
}

// Serve runs NGINX until it ends, and returns its exit status. A signal from the channel stops it.
func (s Settings) Serve(signals <-chan os.Signal) (int, error) {
	if s.StaticHistory {
		if err := s.keepFiles(staticRoot, historyRoot); err != nil {
			return 1, err
		}
	}
	if err := errors.Join(remove(maintenanceFile), remove(pidFile)); err != nil {
		return 1, err
	}
	if s.AppHealthPath != "" {
		if err := maintain(); err != nil {
			return 1, err
		}
	}
	read, write, err := os.Pipe()
	if err != nil {
		return 1, err
	}
	if len(signals) > 0 {
		return 0, nil // a stop before the start
	}
	n, err := start(write)
	if err != nil {
		return 1, err
	}
	_ = write.Close() // NGINX has its own
	filtered := make(chan struct{})
	go func() { filterErrors(os.Stderr, read); close(filtered) }()
	go s.follow(n, signals)
	if s.StatusInterval > 0 {
		go s.report(os.Stdout)
	}
	debug.FreeOSMemory() // what the template needed
	status := n.wait()
	select {
	case <-filtered:
	case <-time.After(lastLines):
		// NGINX's main process was killed. Its workers hold the other end, and go with the container.
	}

	return status, nil
}

// lastLines is how long the last error lines may take, once NGINX has ended.
const lastLines = time.Second

func remove(file string) error {
	if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
		return err
	}

	return nil
}

func maintain() error { return os.WriteFile(maintenanceFile, nil, 0o644) }

// process is NGINX's main process.
type process struct{ id int }

// start starts NGINX. Until the configuration is read, its errors would go to a file that is not writable, hence -e.
// https://nginx.org/en/docs/switches.html
func start(errorLog *os.File, arguments ...string) (process, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return process{}, err
	}
	arguments = append([]string{"nginx", "-e", "stderr", "-c", configurationFile}, arguments...)
	id, err := syscall.ForkExec(path, arguments, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{os.Stdin.Fd(), os.Stdout.Fd(), errorLog.Fd()},
	})
	if err != nil {
		return process{}, fmt.Errorf("%s: %w", strings.Join(arguments, " "), err)
	}

	return process{id}, nil
}

// wait waits for NGINX's end. The first process of a container also inherits what others have left behind, such as workers
// whose main process was killed, and has to take their statuses.
func (n process) wait() int {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 1 // there is no child, so NGINX has ended unseen
		case ended == n.id && status.Signaled():
			return 128 + int(status.Signal()) // as a shell does
		case ended == n.id:
			return status.ExitStatus()
		}
	}
}

// follow waits for the app and for signals.
func (s Settings) follow(n process, signals <-chan os.Signal) {
	stopped := make(chan struct{})
	if s.AppHealthPath != "" {
		go s.awaitApp(stopped)
	}
	<-signals
	close(stopped)
	_ = maintain() // without it the load balancer finds the port closed, a moment later
	if s.StopDelay > 0 {
		select {
		case <-time.After(time.Duration(s.StopDelay) * time.Second):
		case <-signals:
		}
	}
	s.stop(n)
}

// awaitApp opens the health page once the app has answered: without a health check of its own it may still be starting.
func (s Settings) awaitApp(stopped <-chan struct{}) {
	for s.Health() != nil {
		select {
		case <-stopped:
			return
		case <-time.After(time.Second):
		}
	}
	select {
	case <-stopped: // the file is there for the stop
	default:
		_ = remove(maintenanceFile)
	}
}

// stop ends NGINX as soon as no request is under way. SIGTERM alone would cut requests; SIGQUIT would also wait for
// connections on which a request has not come whole, or not at all, until they time out.
// https://nginx.org/en/docs/control.html
//
// So NGINX is reloaded without its port. The old workers finish the requests under way, as after SIGQUIT, and a new worker
// answers the status page on a socket. Its counts include the old workers, as they lie in memory that all workers share.
func (s Settings) stop(n process) {
	if !s.leavePort(n) {
		n.signal(syscall.SIGQUIT, never)
	}
	// Workers cut what is left at the time-out themselves, and log it.
	end := time.Now().Add(time.Duration(s.ShutdownTimeout)*time.Second + lastLines)
	for last := time.Now(); time.Since(last) < headerGrace && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		c, err := stopCounts()
		if err == nil && c.active == 1 { // the connection of the status page itself
			break
		}
		if err != nil || c.writing > 1 {
			last = time.Now()
		}
	}
	n.signal(syscall.SIGTERM, never)
}

func never() bool { return false }

// headerGrace is how long a request may take to come whole if it is the only one that NGINX still waits for.
const headerGrace = time.Second

// leavePort reloads NGINX without its port, and returns whether that has worked. It does not if the disk is full.
func (s Settings) leavePort(n process) bool {
	s.Workers, s.Connections = 1, 64 // for the status page
	if err := errors.Join(remove(stopSocket), s.writeConfiguration(true)); err != nil {
		return false
	}
	begin, left := time.Now(), false
	n.signal(syscall.SIGHUP, func() bool {
		_, err := stopCounts()
		left = err == nil
		return left || time.Since(begin) > reloadTimeout
	})

	return left
}

// stopCounts are NGINX's counts once it has left its port.
func stopCounts() (counts, error) {
	connection, err := net.DialTimeout("unix", stopSocket, pageTimeout) //nolint:noctx // bounded by its time-out
	if err != nil {
		return counts{}, err
	}
	_, page, err := get(connection, statusPage, pageTimeout)
	if err != nil {
		return counts{}, err
	}

	return parseCounts(page)
}

// reloadTimeout is how long NGINX may take to leave its port.
const reloadTimeout = 5 * time.Second

// signal sends NGINX a signal until done. NGINX loses a signal that comes between the moment when it handles signals and the
// one when it waits for them, so it gets the signal again from time to time.
func (n process) signal(signal syscall.Signal, done func() bool) {
	const again = 500 * time.Millisecond
	for sent := (time.Time{}); !done(); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(pidFile); err == nil && time.Since(sent) > again {
			_ = syscall.Kill(n.id, signal)
			sent = time.Now()
		}
	}
}
