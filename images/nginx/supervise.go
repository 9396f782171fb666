package nginx

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// pidFile is there as soon as NGINX handles signals.
const pidFile = folder + "/nginx.pid"

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
	n.quit()
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

// quit lets NGINX finish the requests under way; SIGTERM would cut them. NGINX loses a signal that comes between the moment
// when it handles signals and the one when it waits for them, so it gets the signal until it ends.
// https://nginx.org/en/docs/control.html
func (n process) quit() {
	for {
		if _, err := os.Stat(pidFile); err == nil {
			_ = syscall.Kill(n.id, syscall.SIGQUIT)
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
