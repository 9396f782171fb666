package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/cloud/engine"
	"fargate-nginx-sidecar/local/cloud/fargate"
	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/machine"
)

// endWait bounds the end of the background process, which stops containers that may take 120 s each to stop.
const endWait = 180 * time.Second

// nothingLeft is what a person may rely on when Down succeeds.
const nothingLeft = "no container, process, network or file of the run is left"

// Down destroys all stacks as `pulumi destroy` would in AWS, and then removes all that the run consists of, even where
// destroying failed. Given a stack that is not the only one, it destroys that one and leaves the run.
func (l *Local) Down(ctx context.Context, stack string) (err error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	use, err := l.finder.UseEngine(ctx)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, use.End())
		if use.Left {
			l.Progress.Line("docker    the engine goes on running: another checkout or command uses it")
		}
	}()
	current, err := l.load(ctx)
	gone := errors.Is(err, run.ErrNone)
	if err != nil && !gone {
		return err
	}
	if _, err := os.Stat(l.dir()); gone && errors.Is(err, os.ErrNotExist) {
		l.Progress.Line("nothing is running here")
		return nil
	}
	// The engine may have ended since. Without it nothing can be removed, and so the stack stays as it is.
	end, err := l.docker(ctx)
	if err != nil {
		return err
	}
	defer end(&err)
	if gone {
		if err := l.clean(); err != nil {
			return err
		}
		l.Progress.Line("removed in %s; %s", l.Progress.Elapsed(), nothingLeft)
		return nil
	}
	stacks, err := destroyable(current, stack)
	if err != nil {
		return err
	}
	found, err := l.finder.Pulumi(ctx, l.builder())
	if len(stacks) < len(current.Stacks) {
		if err == nil {
			err = l.leave(ctx, current, stack, found)
		}
		l.printRequests(current)
		return err
	}
	destroyErr := err
	for _, name := range stacks {
		if err == nil {
			pulumi := l.stack(current, name, found)
			destroyErr = errors.Join(destroyErr, l.follow("pulumi destroy", func(w watcher) error { return pulumi.Destroy(ctx, w) }))
		}
	}
	l.printRequests(current)
	// Removing goes on when the user interrupts: half a removal is worse than a late one.
	if err := errors.Join(destroyErr, l.remove(current)); err != nil {
		return err
	}
	l.Progress.Line("destroyed and removed in %s; %s", l.Progress.Elapsed(), nothingLeft)
	return nil
}

// remove ends the background process, and removes the containers, images and files of a run.
func (l *Local) remove(current run.Run) error {
	ended := l.endCloud(current.PID)
	err := fargate.Cleanup(context.Background(), current.ID)
	if errors.Is(err, engine.ErrSilent) {
		err = fmt.Errorf("%w: what the run left there is noted in %s", startIt(err), filepath.Base(l.dir()))
	} else {
		err = errors.Join(err, removeImages(current.Registry))
	}
	if err = errors.Join(ended, err); err == nil { // else the next command finds in the folder what is left to remove
		err = os.RemoveAll(l.dir())
	}
	return err
}

// endCloud ends the background process, if it runs.
func (l *Local) endCloud(pid int) error {
	if _, err := run.Load(l.dir()); errors.Is(err, run.ErrNone) || pid == 0 {
		return nil
	}
	if err := machine.End(pid, endWait); err != nil {
		return fmt.Errorf("cloud: %w; its log is %s", err, LogFile(l.dir()))
	}
	return nil
}

// removeImages removes what was built for the run's registry; base images stay for the next run. It goes by name, never
// by id: another run, or the user, may have the same image under another name.
func removeImages(registry string) error {
	if registry == "" {
		return nil
	}
	listed, err := exec.Command("docker", "images", "--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}", "--filter", "reference="+registry+"/*").Output() //nolint:noctx // runs to its end on purpose
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	for _, name := range strings.Fields(string(listed)) {
		if strings.HasSuffix(name, "<none>") {
			continue
		}
		// With an image's last tag its digest goes too, so a name may be gone by now.
		output, err := exec.Command("docker", "rmi", name).CombinedOutput() //nolint:noctx // as above
		if err != nil && !strings.Contains(string(output), "No such image") {
			return fmt.Errorf("images: %w: %s", err, output)
		}
	}
	return nil
}
