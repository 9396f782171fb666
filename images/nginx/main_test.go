package nginx_test

import (
	"os"
	"sync"
	"testing"

	"fargate-nginx-sidecar/images/imagetest"
)

// shared is one task with default settings for all tests that only ask.
var shared struct {
	once    sync.Once
	task    *imagetest.Task
	cleanup cleaner
}

type cleaner struct{ funcs []func() }

func (c *cleaner) Cleanup(f func()) { c.funcs = append(c.funcs, f) }

func TestMain(m *testing.M) {
	code := m.Run()
	for i := len(shared.cleanup.funcs) - 1; i >= 0; i-- {
		shared.cleanup.funcs[i]()
	}
	os.Exit(code)
}

// defaults returns the shared task, with its record emptied. Tests that use it
// do not run in parallel.
func defaults(t testing.TB) *imagetest.Task {
	t.Helper()
	shared.once.Do(func() {
		shared.task = imagetest.Start(t, imagetest.Options{Cleaner: &shared.cleanup})
	})
	if shared.task == nil {
		t.Fatal("the shared task did not start; the first test that wanted it says why")
	}
	shared.task.Reset(t, true)
	return shared.task
}

// lines is what a failed test shows of the backend's record.
func lines(seen imagetest.Seen) []string {
	var list []string
	for _, r := range seen.Requests {
		list = append(list, r.Line())
	}
	return list
}
