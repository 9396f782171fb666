package measure

import (
	"errors"
	"sync"
	"time"

	"fargate-nginx-sidecar/bench/cgroup"
	"fargate-nginx-sidecar/bench/load"
	"fargate-nginx-sidecar/bench/logs"
)

type written = logs.Stream

// watch takes the kernel's counters of one job.
type watch struct {
	groups  []cgroup.Group // application, and proxy if there is one
	used    []time.Duration
	highest int64 // memory of the last of them
	err     error
	stop    chan struct{}
	done    sync.WaitGroup
}

func newWatch(groups ...cgroup.Group) *watch {
	return &watch{groups: groups, used: make([]time.Duration, 2), stop: make(chan struct{})}
}

// counters are the files that the load reads at its moments.
func (w *watch) counters() []string {
	var files []string
	for _, g := range w.groups {
		files = append(files, g.CPUFile())
	}
	return files
}

// sampleEvery is how often memory is read while a job runs.
const sampleEvery = 250 * time.Millisecond

// moment takes the counters away at the beginning and adds them at the end.
func (w *watch) moment(reply load.Reply) {
	sign := time.Duration(1)
	if reply.Moment == load.WindowBegins {
		sign = -1
		w.done.Go(w.sample)
	}
	for i, g := range w.groups {
		used, err := g.CPU(reply.Counters[i])
		w.used[i] += sign * used
		w.err = errors.Join(w.err, err)
	}
	if reply.Moment == load.WindowEnds {
		close(w.stop)
		w.done.Wait()
	}
}

// sample keeps the highest memory.
func (w *watch) sample() {
	for {
		if memory, err := w.groups[len(w.groups)-1].Memory(); err == nil {
			w.highest = max(w.highest, memory)
		}
		select {
		case <-w.stop:
			return
		case <-time.After(sampleEvery):
		}
	}
}
