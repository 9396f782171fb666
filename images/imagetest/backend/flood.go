package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// floods are what hostile or broken clients do. They run inside the network
// namespace of nginx, because Docker's own proxy for published ports would give
// way before nginx does. Each ends by the clock and returns how often it did it.
var floods = map[string]func(addr string, n int, d time.Duration) int{
	"slow-headers": func(addr string, n int, d time.Duration) int {
		return hold(addr, n, d, 0, "GET /api/x HTTP/1.1\r\nX: ", "y")
	},
	"slow-bodies": func(addr string, n int, d time.Duration) int {
		return hold(addr, n, d, 0, "POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n", "b")
	},
	"silent": func(addr string, n int, d time.Duration) int { return hold(addr, n, d, 0, "", "") },
	"slow-readers": func(addr string, n int, d time.Duration) int {
		return hold(addr, n, d, 0, "GET /api/big?bytes=2000000&type=image/png HTTP/1.1\r\nHost: a\r\n\r\n", "")
	},
	// Much longer than what kernel and NGINX hold together, also when it is compressed. One after the other over half
	// the time, because the test is about memory: all at once they want the processor first.
	"slow-readers-gzip": func(addr string, n int, d time.Duration) int {
		return hold(addr, n, d, d/2, "GET /api/big?bytes=8000000&noise=1 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", "")
	},
	"burst": burst,
	"open-close": func(addr string, n int, d time.Duration) int {
		return hammer(n, d, func() int {
			c, err := net.DialTimeout("tcp", addr, 2*time.Second)
			if err != nil {
				return 0
			}
			_ = c.(*net.TCPConn).SetLinger(0) // a reset: no ports left in TIME_WAIT
			_ = c.Close()
			return 1
		})
	},
	"refused": func(addr string, n int, d time.Duration) int {
		return hammer(n, d, func() int { return pipeline(addr, "GET /web/phpmyadmin HTTP/1.1\r\nHost: a\r\n\r\n", 100) })
	},
	"malformed": func(addr string, n int, d time.Duration) int {
		return hammer(n, d, func() int { return pipeline(addr, "GET /api/\x01 HTTP/1.1\r\n\r\n", 1) })
	},
}

// flood runs one of them and prints the count.
func flood(name, addr string, n int, d time.Duration) error {
	f, known := floods[name]
	if !known {
		return fmt.Errorf("flood: got %q, allowed: %v", name, floods)
	}
	fmt.Println(f(addr, n, d))
	return nil
}

// hold opens n connections within a time, lets each say its first words, and then
// a byte every 300 ms until the end. It never reads.
func hold(addr string, n int, d, within time.Duration, first, then string) int {
	end := time.Now().Add(d)
	var opened atomic.Int64
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			time.Sleep(within * time.Duration(i) / time.Duration(n))
			c, err := net.DialTimeout("tcp", addr, d) //nolint:noctx // bounded by its time-out
			if err != nil {
				return
			}
			defer c.Close() //nolint:errcheck // a reset is what it is for
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.(*net.TCPConn).SetReadBuffer(4096) // what the kernel would take in for it makes the flood weaker
			opened.Add(1)
			_ = c.SetDeadline(end)
			_, err = io.WriteString(c, first)
			for err == nil && then != "" && time.Now().Before(end) {
				time.Sleep(300 * time.Millisecond)
				_, err = io.WriteString(c, then)
			}
			time.Sleep(time.Until(end))
		})
	}
	wg.Wait()
	return int(opened.Load())
}

// burst opens n connections, sends one request on each as soon as all are open, and counts the answers.
func burst(addr string, n int, d time.Duration) int {
	var answered atomic.Int64
	var opened, answers sync.WaitGroup
	all := make(chan struct{})
	opened.Add(n)
	for range n {
		answers.Go(func() {
			c, err := net.DialTimeout("tcp", addr, d) //nolint:noctx // bounded by its time-out
			opened.Done()
			if err != nil {
				return
			}
			defer c.Close() //nolint:errcheck // its answer is there or not
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.SetDeadline(time.Now().Add(d))
			<-all
			if _, err := io.WriteString(c, "GET /api/users/1 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				return
			}
			answer := make([]byte, 4096)
			if k, _ := c.Read(answer); strings.HasPrefix(string(answer[:k]), "HTTP/1.1 200 ") {
				answered.Add(1)
			}
		})
	}
	opened.Wait()
	close(all)
	answers.Wait()
	return int(answered.Load())
}

// hammer repeats something in n places at once until the end.
func hammer(n int, d time.Duration, once func() int) int {
	end := time.Now().Add(d)
	var total atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for time.Now().Before(end) {
				total.Add(int64(once()))
			}
		})
	}
	wg.Wait()
	return int(total.Load())
}

// pipeline sends n requests on one connection and returns how many answers came.
func pipeline(addr, request string, n int) int {
	c, err := net.DialTimeout("tcp", addr, 2*time.Second) //nolint:noctx // bounded by its time-out
	if err != nil {
		return 0
	}
	defer c.Close() //nolint:errcheck // nothing was kept
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	go func() { _, _ = io.WriteString(c, strings.Repeat(request, n)) }()
	buf := make([]byte, 64<<10)
	got := 0
	for got < n {
		k, err := c.Read(buf)
		got += strings.Count(string(buf[:k]), "HTTP/1.1 ")
		if err != nil {
			break
		}
	}
	return got
}
