package nginx

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// appError is what the health check got from the app, in the form in which infra/deployment reads it in the log:
//
//	app health: 127.0.0.1:3000/healthz: connection refused; listening in this task: 127.0.0.1:8000
type appError struct{ address, answer string }

func (e appError) Error() string { return fmt.Sprintf("app health: %s: %s", e.address, e.answer) }

// explain says what the app did instead of giving a healthy answer, from what NGINX answered for it. If NGINX does not even answer,
// as on a busy machine in the moment of its start, nothing is said of the app.
func (s Settings) explain(status int, body string, err error) error {
	network, address := s.appAddress()
	answer := ""
	switch timeout := net.Error(nil); {
	case errors.As(err, &timeout) && timeout.Timeout(), status == 504:
		answer = fmt.Sprintf("no answer within %d s", s.AppHealthTimeout)
	case err != nil:
		return fmt.Errorf("%s: %w", appPage, err)
	case status == 502:
		answer = s.inProtocol(askApp(network, address, s.healthHost(), s.AppHealthPath))
	case status == 404 && s.AppProtocol == FastCGI && strings.Contains(body, "File not found."):
		answer = "php-fpm has no such script: " + s.AppRoot + frontController + ", or its user may not read it"
	case status == 400 && wantsTLS.MatchString(body):
		answer = "no HTTP answer: it expects HTTPS"
	case status == 400:
		answer = "status 400 for Host " + s.healthHost()
	default:
		answer = fmt.Sprintf("status %d", status)
	}

	return appError{address + s.AppHealthPath, answer}
}

// inProtocol corrects what an app that does not speak HTTP was found to answer to a request in HTTP.
func (s Settings) inProtocol(answer string) string {
	switch {
	case s.AppProtocol != FastCGI && s.AppProtocol != UWSGI:
		return answer
	case strings.HasPrefix(answer, "status "):
		return "no " + string(s.AppProtocol) + " answer: it speaks HTTP"
	case strings.HasPrefix(answer, "no HTTP answer"):
		return "no " + string(s.AppProtocol) + " answer"
	}

	return answer
}

// wantsTLS matches what servers answer in clear on a port for TLS: Go's, NGINX and Apache.
var wantsTLS = regexp.MustCompile(`HTTPS (?:server|port)|SSL-enabled server port`)

// healthHost is the Host of the health check's request.
func (s Settings) healthHost() string { return cmp.Or(s.AppHealthHost, "localhost") }

func (s Settings) appAddress() (network, address string) {
	if s.AppSocket != "" {
		return "unix", s.AppSocket
	}

	return "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.AppPort))
}

// askTimeout bounds the second request. It is made only after NGINX has failed at once.
const askTimeout = 500 * time.Millisecond

// askApp requests the app's health path without NGINX, which answers 502 for everything that is no HTTP.
func askApp(network, address, host, path string) string {
	connection, err := net.DialTimeout(network, address, askTimeout) //nolint:noctx // bounded by its time-out
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused; listening in this task: " + strings.Join(listeners(), ", ")
	case errors.Is(err, syscall.ENOENT):
		return "no such file; listening in this task: " + strings.Join(listeners(), ", ")
	case err != nil:
		return err.Error()
	}
	defer connection.Close() //nolint:errcheck // the answer is there or not
	_ = connection.SetDeadline(time.Now().Add(askTimeout))
	if _, err := io.WriteString(connection, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"); err != nil {
		return err.Error()
	}
	line, err := bufio.NewReader(io.LimitReader(connection, largestPage)).ReadString('\n')
	if words := strings.Fields(line); len(words) > 1 && strings.HasPrefix(words[0], "HTTP/") {
		return "status " + words[1]
	}
	if line == "" {
		return fmt.Sprintf("no HTTP answer: the connection ended (%v)", err)
	}

	return fmt.Sprintf("no HTTP answer: %.40q", line)
}

// listenState is TCP_LISTEN in the kernel's tables. https://docs.kernel.org/networking/proc_net_tcp.html
const listenState = "0A"

// dockerResolver listens in every container on a Docker engine, and would be taken for the app.
// https://docs.docker.com/engine/network/#dns-services
const dockerResolver = "127.0.0.11:"

// listeners are the TCP addresses on which something in the task listens: its containers share one network.
func listeners() []string {
	var all []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err != nil {
			continue // without IPv6 there is no second table
		}
		for _, line := range strings.Split(string(content), "\n") {
			if fields := strings.Fields(line); len(fields) > 3 && fields[3] == listenState {
				if address, err := parseAddress(fields[1]); err == nil && !strings.HasPrefix(address, dockerResolver) && !slices.Contains(all, address) {
					all = append(all, address)
				}
			}
		}
	}

	return all
}

// parseAddress reads an address of the kernel's tables, such as 0100007F:0BB8: each four bytes are in the byte order of the
// machine, which is little-endian on both architectures of Fargate.
func parseAddress(text string) (string, error) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil {
		return "", err
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	address, ok := netip.AddrFromSlice(raw)
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return "", fmt.Errorf("address %q", text)
	}

	return netip.AddrPortFrom(address.Unmap(), uint16(number)).String(), nil
}

// loggedFile holds the last line that LogHealth has written.
const loggedFile = folder + "/app-health"

// LogHealth writes what the app answered into the container's log, which is that of its first process: ECS keeps nothing of
// what a health command writes. A line that repeats the last one is left out.
func LogHealth(health error) {
	if health == nil {
		_ = os.Remove(loggedFile) // mostly there is none
		return
	}
	if last, _ := os.ReadFile(loggedFile); !errors.As(health, new(appError)) || string(last) == health.Error() {
		return
	}
	log, err := os.OpenFile("/proc/1/fd/2", os.O_WRONLY, 0)
	if err != nil {
		return // the check itself has an exit status, and that is what counts
	}
	defer log.Close() //nolint:errcheck // the line is written or not
	if _, err := fmt.Fprintln(log, health); err == nil {
		_ = os.WriteFile(loggedFile, []byte(health.Error()), 0o600)
	}
}
