package load

import (
	"fmt"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// phase is where a job stands.
type phase int

const (
	connecting phase = iota
	warming
	measuring
	draining
	over
)

// connectLimit is for all connections together, before anything is measured.
const connectLimit = 20 * time.Second

// retryAfter keeps a connection that was refused from filling the CPU with tries.
const retryAfter = 50 * time.Millisecond

// engine is one job while it runs. All of it belongs to one thread.
type engine struct {
	job     Job
	streams []*stream
	conns   map[int]*conn // by descriptor
	epoll   int
	timer   int
	peer    unix.SockaddrInet4
	phase   phase
	until   time.Time // when the phase ends
	began   time.Time // of the window
	window  time.Duration
	retry   []*conn
	retryAt time.Time
	buf     [64 << 10]byte
	tell    func(moment string)
}

// stream is what Stream asks for, and what came of it.
type stream struct {
	Stream
	payload  []byte // what is sent each time
	interval time.Duration
	due      time.Time // of the next request, at a fixed rate
	conns    []*conn
	idle     []*conn
	waiting  []time.Time // requests that are due and have no connection yet
	times    *hdrhistogram.Histogram
	result   Result
}

// Run does the job. tell is called at WindowBegins and WindowEnds, between two
// requests.
func Run(job Job, tell func(moment string)) ([]Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e := &engine{job: job, tell: tell, conns: map[int]*conn{}}
	defer e.close()
	if err := e.open(); err != nil {
		return nil, err
	}
	if err := e.loop(); err != nil {
		return nil, err
	}
	results := make([]Result, len(e.streams))
	for i, s := range e.streams {
		results[i] = s.summary(e.window)
	}
	return results, nil
}

func (e *engine) open() (err error) {
	if e.peer, err = ipv4(e.job.Address); err != nil {
		return err
	}
	if e.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if e.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return fmt.Errorf("timer: %w", err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(e.timer)} //nolint:gosec // a descriptor
	if err := unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, e.timer, &event); err != nil {
		return fmt.Errorf("timer: %w", err)
	}
	e.until = time.Now().Add(connectLimit)
	for _, wanted := range e.job.Streams {
		s := &stream{Stream: wanted, payload: wanted.Request, times: hdrhistogram.New(1, (2 * time.Minute).Microseconds(), 3)}
		if s.Message > 0 {
			s.payload = message(s.Message)
		}
		if s.Rate > 0 {
			s.interval = time.Duration(float64(time.Second) / s.Rate)
		}
		e.streams = append(e.streams, s)
		for range s.Connections {
			c := &conn{e: e, s: s, fd: -1}
			s.conns = append(s.conns, c)
			if !s.Fresh {
				c.open()
			}
		}
	}
	return nil
}

func (e *engine) close() {
	for _, s := range e.streams {
		for _, c := range s.conns {
			c.shut()
		}
	}
	for _, fd := range []int{e.epoll, e.timer} {
		if fd > 0 {
			_ = unix.Close(fd)
		}
	}
}

// loop waits for answers and moments until the job is over.
func (e *engine) loop() error {
	events := make([]unix.EpollEvent, 512)
	for {
		now := time.Now()
		e.tick(now)
		if e.phase == draining && e.all(func(c *conn) bool { return c.state != busy && !c.wanted }) {
			e.phase = over
		}
		if e.phase == over {
			e.unanswered()
			return nil
		}
		if err := e.arm(now); err != nil {
			return err
		}
		n, err := unix.EpollWait(e.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			if int(event.Fd) == e.timer {
				_, _ = unix.Read(e.timer, e.buf[:8])
			} else if c := e.conns[int(event.Fd)]; c != nil {
				c.event(event.Events)
			}
		}
	}
}

// arm sets the timer to the next moment at which there is something to do
// without an answer.
func (e *engine) arm(now time.Time) error {
	next := e.until
	if e.phase == warming || e.phase == measuring {
		for _, s := range e.streams {
			if s.interval > 0 && s.due.Before(next) {
				next = s.due
			}
		}
	}
	if len(e.retry) > 0 && e.retryAt.Before(next) {
		next = e.retryAt
	}
	// Zero would switch the timer off.
	wait := max(next.Sub(now), time.Nanosecond)
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(wait.Nanoseconds())}
	if err := unix.TimerfdSettime(e.timer, 0, &spec, nil); err != nil {
		return fmt.Errorf("timer: %w", err)
	}
	return nil
}

// tick does what is due.
func (e *engine) tick(now time.Time) {
	e.advance(now)
	if e.phase != warming && e.phase != measuring {
		return
	}
	for _, s := range e.streams {
		for s.interval > 0 && !s.due.After(now) {
			s.request(s.due)
			s.due = s.due.Add(s.interval)
		}
	}
	if len(e.retry) > 0 && !e.retryAt.After(now) {
		again := e.retry
		e.retry = nil
		for _, c := range again {
			c.start(now)
		}
	}
}

// advance moves from phase to phase.
func (e *engine) advance(now time.Time) {
	ended := !now.Before(e.until)
	switch e.phase {
	case connecting:
		if !ended && !e.all(func(c *conn) bool { return c.s.Fresh || c.state == idle }) {
			return
		}
		e.phase, e.until = warming, now.Add(e.job.Warm)
		e.begin(now)
	case warming:
		if ended {
			e.phase, e.until, e.began = measuring, now.Add(e.job.Window), now
			e.tell(WindowBegins)
		}
	case measuring:
		if ended {
			e.phase, e.until, e.window = draining, now.Add(e.job.Drain), now.Sub(e.began)
			e.tell(WindowEnds)
			// They are counted as refused.
			for _, c := range e.retry {
				c.wanted = false
			}
		}
	case draining:
		if ended {
			e.phase = over
		}
	}
}

func (e *engine) all(ok func(*conn) bool) bool {
	for _, s := range e.streams {
		for _, c := range s.conns {
			if !ok(c) {
				return false
			}
		}
	}
	return true
}

// begin sends the first request of every connection, or starts the clock of a
// fixed rate.
func (e *engine) begin(now time.Time) {
	for _, s := range e.streams {
		s.due = now
		for _, c := range s.conns {
			if s.interval > 0 {
				s.idle = append(s.idle, c)
			} else {
				c.start(now)
			}
		}
	}
}

// request sends one at a fixed rate, or lets it wait for a connection.
func (s *stream) request(due time.Time) {
	n := len(s.idle)
	if n == 0 {
		s.waiting = append(s.waiting, due)
		return
	}
	c := s.idle[n-1]
	s.idle = s.idle[:n-1]
	c.start(due)
}

// free is for a connection that has its answer, or has lost it.
func (s *stream) free(c *conn, now time.Time) {
	switch {
	case len(s.waiting) > 0:
		due := s.waiting[0]
		s.waiting = s.waiting[1:]
		c.start(due)
	case c.e.phase != warming && c.e.phase != measuring:
	case s.interval == 0:
		c.start(now)
	default:
		s.idle = append(s.idle, c)
	}
}

// answered takes one answer into the account.
func (s *stream) answered(e *engine, due time.Time, status int, size int64) {
	s.result.Responses++
	right := false
	for _, want := range s.Want {
		right = right || status == want
	}
	if !right {
		s.result.Lost.Wrong++
		return
	}
	now := time.Now()
	if e.phase == measuring {
		s.result.Answers++
		s.result.Bytes += size
	}
	// Also what came after the window's end, or the slowest would be left out.
	if e.phase >= measuring && !due.Before(e.began) {
		_ = s.times.RecordValue(min(max(now.Sub(due).Microseconds(), 1), s.times.HighestTrackableValue()))
	}
}

// unanswered counts what is still missing at the end of the drain.
func (e *engine) unanswered() {
	for _, s := range e.streams {
		s.result.Lost.Unanswered += len(s.waiting)
		for _, c := range s.conns {
			if c.state == busy || c.wanted {
				s.result.Lost.Unanswered++
			}
		}
	}
}

func (s *stream) summary(window time.Duration) Result {
	r := s.result
	r.Window = window
	at := func(percent float64) time.Duration {
		return time.Duration(s.times.ValueAtPercentile(percent)) * time.Microsecond
	}
	r.P50, r.P90, r.P99, r.P999 = at(50), at(90), at(99), at(99.9)
	r.Max = time.Duration(s.times.Max()) * time.Microsecond
	return r
}
