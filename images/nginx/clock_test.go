package nginx_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// jumps are what happens to the clock, in words and in the words of libfaketime.
var jumps = map[string]string{"an hour ahead": "+3600", "an hour back": "-3600"}

// clockImage is the sidecar with a clock that jump sets.
func clockImage(t *testing.T) string {
	t.Helper()
	imagetest.Build(t, imagetest.NginxImage)
	image := imagetest.Tagged("test-nginx-clock")
	arguments := []string{"build", "--quiet", "--tag=" + image, "--build-arg=SIDECAR=" + imagetest.NginxImage, "testdata/clock"}
	out, err := exec.CommandContext(t.Context(), "docker", arguments...).CombinedOutput() //nolint:gosec // arguments of this file
	if err != nil {
		t.Skipf("the package libfaketime cannot be installed here: %v: %s", err, out)
	}
	return image
}

// jump sets the clock of a task's nginx and returns once nginx has the new time.
func jump(t *testing.T, task *imagetest.Task, by string) {
	t.Helper()
	imagetest.Docker(t, "exec", task.Nginx, "sh", "-c", "echo "+by+" >/tmp/clock.new && mv /tmp/clock.new /tmp/clock")
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		date, err := time.Parse(time.RFC1123, task.Get(t, "/api/x", "Connection: close").Header.Get("Date"))
		if err == nil && time.Until(date).Abs() > 59*time.Minute {
			return
		}
	}
	t.Fatalf("the clock was set by %s s, and the header Date did not follow", by)
}

func TestRequestsUnderWaySurviveAJumpOfTheClock(t *testing.T) {
	image := clockImage(t)
	for name, by := range jumps {
		t.Run(name, func(t *testing.T) {
			task := imagetest.Start(t, imagetest.Options{Image: image})
			connection := task.Dial(t, 20*time.Second)
			answered := make(chan imagetest.Answer, 1)
			go func() {
				answer, _ := imagetest.Talk(connection, "GET /api/slow?ms=4000 HTTP/1.1\r\nHost: a\r\n\r\n", 15*time.Second)
				answered <- answer
			}()
			time.Sleep(500 * time.Millisecond) // the request is under way
			jump(t, task, by)
			if got := <-answered; got.Status != 200 {
				t.Errorf("a request under way: got %d, want 200", got.Status)
			}
			if got, err := imagetest.Talk(connection, "GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n", 5*time.Second); err != nil || got.Status != 200 {
				t.Errorf("the next request on its connection: got %d, %v, want 200", got.Status, err)
			}
			isHealthy(t, task)
			times := slowRequest(t, task)
			// nginx writes 0 for a time below it.
			within := map[string][2]float64{"+3600": {3600, 3630}, "-3600": {0, 0}}[by]
			if times.Request < within[0] || times.Request > within[1] {
				t.Errorf("request_time in the log: got %v, want it within %v", times.Request, within)
			}
			if times.Upstream < 3 || times.Upstream > 30 {
				t.Errorf("upstream_time in the log: got %v, want about 4", times.Upstream)
			}
		})
	}
}

// loggedTimes are what a line of the access log says about how long a request took.
type loggedTimes struct {
	Request  float64 `json:"request_time"`
	Upstream float64 `json:"upstream_time,string"`
}

// slowRequest waits for the line of the request to /api/slow.
func slowRequest(t *testing.T, task *imagetest.Task) (times loggedTimes) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		for line := range strings.Lines(task.Logs(t)) {
			if strings.Contains(line, `"path":"/api/slow"`) && json.Unmarshal([]byte(line), &times) == nil {
				return times
			}
		}
	}
	t.Fatalf("no line of /api/slow in the log:\n%s", task.Logs(t))
	return times
}

func TestATimeoutNeitherHastensNorStaysAwayAfterAJumpOfTheClock(t *testing.T) {
	image := clockImage(t)
	for name, by := range jumps {
		t.Run(name, func(t *testing.T) {
			const limit = 4 * time.Second
			task := imagetest.Start(t, imagetest.Options{Image: image, Env: []string{fmt.Sprintf("NGINX_READ_TIMEOUT=%.0f", limit.Seconds())}})
			type result struct {
				imagetest.Answer
				after time.Duration
			}
			answered := make(chan result, 1)
			connection := task.Dial(t, time.Minute)
			go func() {
				begin := time.Now()
				answer, _ := imagetest.Talk(connection, "GET /api/slow?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n", 40*time.Second)
				answered <- result{answer, time.Since(begin)}
			}()
			time.Sleep(500 * time.Millisecond) // the request is under way
			jump(t, task, by)
			if got := <-answered; got.Status != 504 || got.after < limit {
				t.Errorf("an application that hangs: got %d after %s, want 504 after %s", got.Status, got.after, limit)
			}
		})
	}
}

func TestTheRateLimitForgetsNothingWhenTheClockJumps(t *testing.T) {
	image := clockImage(t)
	for name, by := range jumps {
		t.Run(name, func(t *testing.T) {
			task := imagetest.Start(t, imagetest.Options{Image: image, Env: []string{"NGINX_RATE_LIMIT=1", "NGINX_RATE_BURST=30"}})
			count := func() (ok int) {
				for range 60 {
					if task.Get(t, "/api/y", "Connection: close").Status == 200 {
						ok++
					}
				}
				return ok
			}
			if ok := count(); ok < 31 {
				t.Errorf("a burst of 30: %d of 60 answered, want 31 or more", ok)
			}
			jump(t, task, by)
			// As many as seconds have passed, and never the burst again.
			if ok := count(); ok > 20 {
				t.Errorf("after the jump: %d of 60 answered, want 20 at most", ok)
			}
		})
	}
}

// The page decides whether the load balancer sends requests to a task that is about to stop. Beside static files nginx
// keeps open files, but not this one.
func TestTheHealthPageSeesTheMaintenanceFileAfterAJumpOfTheClock(t *testing.T) {
	image := clockImage(t)
	files := imagetest.Options{
		Image: image, Env: []string{"NGINX_STATIC_FILES=/assets"},
		Args: []string{"--volume=" + assets(t) + ":/srv/static/1/assets:ro"},
	}
	for with, opts := range map[string]imagetest.Options{"alone": {Image: image}, "with static files": files} {
		for name, by := range jumps {
			t.Run(with+", "+name, func(t *testing.T) {
				task := imagetest.Start(t, opts)
				healthPage(t, task, "/", 200)
				jump(t, task, by)
				imagetest.Docker(t, "exec", task.Nginx, "touch", "/tmp/nginx/maintenance")
				healthPage(t, task, "/", 503)
				imagetest.Docker(t, "exec", task.Nginx, "rm", "/tmp/nginx/maintenance")
				healthPage(t, task, "/", 200)
			})
		}
	}
}

// The cache's times are those of the clock. nginx has no directive that would change it.
func TestTheMicroCacheFollowsTheClock(t *testing.T) {
	image := clockImage(t)
	for name, test := range map[string]struct {
		seconds, by string
		reached     int // of two requests
	}{
		"an hour ahead, an answer that would be kept for a minute": {"60", "+3600", 2},
		"an hour back, an answer that would be kept for a second":  {"1", "-3600", 1},
	} {
		t.Run(name, func(t *testing.T) {
			task := imagetest.Start(t, imagetest.Options{Image: image, Env: []string{"NGINX_CACHE_SECONDS=" + test.seconds}})
			ask := func() { task.Get(t, "/api/kept", "X-Reply: Cache-Control: public") }
			ask()
			jump(t, task, test.by)
			time.Sleep(2100 * time.Millisecond)
			ask()
			reached := 0
			for _, r := range task.Seen(t).Requests {
				if strings.HasPrefix(r.Line(), "GET /api/kept ") {
					reached++
				}
			}
			if reached != test.reached {
				t.Errorf("%d of 2 requests reached the application, want %d", reached, test.reached)
			}
		})
	}
}

// What nginx keeps about static files goes by the clock as well. Files of an image do not change, so it is kept all the same.
func TestAStaticFileThatChangesIsHiddenOnlyByAClockThatIsSetBack(t *testing.T) {
	image := clockImage(t)
	for name, want := range map[string]string{"an hour ahead": "later", "an hour back": "earlier"} {
		t.Run(name, func(t *testing.T) {
			dir := directory(t, map[string]string{"page.html": "earlier"})
			task := imagetest.Start(t, imagetest.Options{
				Image: image, Env: []string{"NGINX_STATIC_FILES=/assets"}, Args: []string{"--volume=" + dir + ":/srv/static/1/assets:ro"},
			})
			if got := task.Get(t, "/assets/page.html"); got.Body != "earlier" {
				t.Fatalf("before: got %d %q", got.Status, got.Body)
			}
			jump(t, task, jumps[name])
			writeFile(t, filepath.Join(dir, "page.new"), "later")
			if err := os.Rename(filepath.Join(dir, "page.new"), filepath.Join(dir, "page.html")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2100 * time.Millisecond) // a second is what nginx keeps it for
			if got := task.Get(t, "/assets/page.html"); got.Body != want {
				t.Errorf("after: got %d %q, want %q", got.Status, got.Body, want)
			}
		})
	}
}
