package nginx_test

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// asked is what a task answers for a while: the times of the first refusal by the health page and of the first by the port.
type asked struct {
	unhealthy, gone time.Duration // since the signal; zero is never
	lost            int           // requests that the port took and did not answer with 200
}

// observe asks both pages until the port is closed.
func observe(task *imagetest.Task, signal func()) (a asked) {
	begin := time.Now()
	signal()
	for time.Since(begin) < 20*time.Second {
		health, err := imagetest.Exchange(task.Addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 2*time.Second)
		if err != nil || health.Status == 0 {
			a.gone = time.Since(begin)
			return a
		}
		if health.Status == 503 && a.unhealthy == 0 {
			a.unhealthy = time.Since(begin)
		}
		if app, err := imagetest.Exchange(task.Addr, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 2*time.Second); err == nil && app.Status != 200 && app.Status != 0 {
			a.lost++
		}
		time.Sleep(20 * time.Millisecond)
	}
	return a
}

func TestAStopServesOnForTheDelayWhileTheHealthPageSays503(t *testing.T) {
	for _, signal := range []string{"QUIT", "TERM"} {
		t.Run("SIG"+signal, func(t *testing.T) {
			t.Parallel()
			task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_STOP_DELAY=4"}})
			a := observe(task, func() { imagetest.Docker(t, "kill", "--signal="+signal, task.Nginx) })
			if a.unhealthy == 0 || a.unhealthy > 3*time.Second || a.gone < 3900*time.Millisecond || a.gone > 10*time.Second || a.lost > 0 {
				t.Errorf("health page 503 after %v, port closed after %v, %d requests lost; want about 1 s, 4 s, 0", a.unhealthy, a.gone, a.lost)
			}
			if code := imagetest.Docker(t, "wait", task.Nginx); code != "0\n" {
				t.Errorf("ended with %s", code)
			}
		})
	}
}

func TestASecondSignalEndsTheDelay(t *testing.T) {
	t.Parallel()
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_STOP_DELAY=100"}})
	begin := time.Now()
	imagetest.Docker(t, "kill", "--signal=QUIT", task.Nginx)
	time.Sleep(500 * time.Millisecond)
	if got := task.Get(t, "/api/x"); got.Status != 200 {
		t.Errorf("during the delay: got %d", got.Status)
	}
	imagetest.Docker(t, "kill", "--signal=QUIT", task.Nginx)
	code := imagetest.Docker(t, "wait", task.Nginx)
	if took := time.Since(begin); code != "0\n" || took > 20*time.Second {
		t.Errorf("ended with %s after %v", strings.TrimSpace(code), took)
	}
}

// Clients that have sent nothing, or a part of a header, would hold NGINX up until they time out. A request whose header has
// come is finished, whatever it waits for.
func TestAStopWaitsForRequestsAndForNothingElse(t *testing.T) {
	const half = "GET /api/x HTTP/1.1\r\nHost: a\r\n"
	for name, opts := range map[string]imagetest.Options{"plain": {}, "TLS": {TLS: true}, "two workers": {Env: []string{"NGINX_WORKER_PROCESSES=2"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts.Env = append(opts.Env, "NGINX_CLIENT_TIMEOUT=300")
			task := imagetest.Start(t, opts)
			for _, sent := range []string{"", half, "GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n" + half} {
				c := task.Dial(t, time.Minute)
				defer c.Close() //nolint:errcheck // a connection to be cut
				_, _ = c.Write([]byte(sent))
			}
			upload, completing := task.Dial(t, time.Minute), task.Dial(t, time.Minute)
			_, _ = upload.Write([]byte("POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1"))
			_, _ = completing.Write([]byte(half))
			slow := task.Dial(t, time.Minute)
			_, _ = slow.Write([]byte("GET /api/slow?ms=3000 HTTP/1.1\r\nHost: a\r\n\r\n"))
			time.Sleep(300 * time.Millisecond)
			begin := time.Now()
			imagetest.Docker(t, "kill", "--signal=QUIT", task.Nginx)
			time.Sleep(700 * time.Millisecond)
			for name, c := range map[string]net.Conn{"half a header": completing, "an answer": slow} {
				rest := map[string]string{"half a header": "\r\n"}[name]
				if a, err := imagetest.Talk(c, rest, 10*time.Second); err != nil || a.Status != 200 {
					t.Errorf("a request that waited for %s: got %d, %v", name, a.Status, err)
				}
			}
			if wait := 3500*time.Millisecond - time.Since(begin); wait > 0 {
				time.Sleep(wait)
			}
			if a, err := imagetest.Talk(upload, "2", 10*time.Second); err != nil || a.Status != 200 {
				t.Errorf("a request that waited for its body: got %d, %v", a.Status, err)
			}
			code := imagetest.Docker(t, "wait", task.Nginx)
			if took := time.Since(begin); code != "0\n" || took > 15*time.Second {
				t.Errorf("ended with %s after %v; want 0 soon after the last request", strings.TrimSpace(code), took)
			}
		})
	}
}

// Whatever the first process is, the container ends when nginx does, and with its code.
func TestTheContainerEndsWithNginx(t *testing.T) {
	t.Parallel()
	task := imagetest.Start(t, imagetest.Options{})
	imagetest.Docker(t, "exec", "--detach", task.Nginx, "sh", "-c", "kill -KILL $(cat /tmp/nginx/nginx.pid)")
	if code := imagetest.Docker(t, "wait", task.Nginx); code != "137\n" {
		t.Errorf("nginx was killed, the container ended with %s; want 137", strings.TrimSpace(code))
	}
}

// healthPage compares what the page says at this moment: nginx looks for the maintenance file on each request.
func healthPage(t *testing.T, task *imagetest.Task, page string, want int) {
	t.Helper()
	if got := task.Get(t, page, "Connection: close").Status; got != want {
		t.Errorf("the health page %s says %d, want %d", page, got, want)
	}
}

func TestTheMaintenanceFileTakesATaskOutAndLetsItIn(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{})
	healthPage(t, task, "/", 200)
	imagetest.Docker(t, "exec", task.Nginx, "touch", "/tmp/nginx/maintenance")
	healthPage(t, task, "/", 503)
	if got := task.Get(t, "/api/x"); got.Status != 200 {
		t.Errorf("a request in maintenance: got %d, want 200", got.Status)
	}
	// The container is well: ECS must not replace it.
	isHealthy(t, task)
	imagetest.Docker(t, "exec", task.Nginx, "rm", "/tmp/nginx/maintenance")
	healthPage(t, task, "/", 200)
}

// balancer is as much of a load balancer as the next test needs: two targets by turns, and one that fails two checks in
// a row gets no more requests.
type balancer struct {
	targets   []*imagetest.Task
	unhealthy [2]atomic.Bool
	turn      atomic.Int64
	sent      atomic.Int64
	lost      atomic.Int64
}

func (b *balancer) check(done <-chan struct{}) {
	failures := [2]int{}
	for {
		select {
		case <-done:
			return
		case <-time.After(500 * time.Millisecond):
		}
		for i, target := range b.targets {
			a, err := imagetest.Exchange(target.Addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", time.Second)
			if failures[i]++; err == nil && a.Status == 200 {
				failures[i] = 0
			}
			b.unhealthy[i].Store(failures[i] >= 2)
		}
	}
}

func (b *balancer) send(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(5 * time.Millisecond):
		}
		i := int(b.turn.Add(1) % 2)
		if b.unhealthy[i].Load() {
			i = 1 - i
		}
		a, err := imagetest.Exchange(b.targets[i].Addr, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 5*time.Second)
		b.sent.Add(1)
		if err != nil || a.Status != 200 {
			b.lost.Add(1)
		}
	}
}

// A task on Spot can be stopped while the load balancer still sends to it.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
func TestAStopThatNobodyHasAnnouncedLosesNothingWithADelay(t *testing.T) {
	lost := func(delay string) int64 {
		b := &balancer{targets: []*imagetest.Task{
			imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_STOP_DELAY=" + delay}}), imagetest.Start(t, imagetest.Options{}),
		}}
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { b.check(done) })
		for range 4 {
			wg.Go(func() { b.send(done) })
		}
		time.Sleep(time.Second)
		imagetest.Docker(t, "kill", "--signal=QUIT", b.targets[0].Nginx)
		time.Sleep(9 * time.Second)
		close(done)
		wg.Wait()
		t.Logf("a delay of %s s: %d of %d requests lost", delay, b.lost.Load(), b.sent.Load())
		return b.lost.Load()
	}
	if n := lost("0"); n == 0 {
		t.Error("without a delay none was lost, so this test shows nothing")
	}
	if n := lost("6"); n > 0 {
		t.Errorf("with a delay %d were lost", n)
	}
}
