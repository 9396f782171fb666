package e2e_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Who answered a request.
const (
	byApp     = "app"
	bySidecar = "sidecar"
	byWayIn   = "way in" // the load balancer or the API, which refuses some malformed requests itself
)

// passedOn are the request lines that a way in passes on as they are. It rewrites absolute addresses and other versions
// into a request line of its own, about which the sidecar's contract says what it says of that one.
var passedOn = regexp.MustCompile(`^[A-Z]+ [^ ]+ HTTP/1\.[01]$`)

// healthy is the sidecar's health page.
const healthy = "Service is healthy"

var byteEscape = regexp.MustCompile(`\\x[0-9a-f]{2}`)

// assertContract sends the request lines of the sidecar's contract through the stack's way in, whatever that is. Each
// reaches the app or is refused as the contract says; a way in may refuse a malformed one before the sidecar does. The way
// in must leave most of the work to the sidecar, or this would say nothing about it.
func assertContract(t *testing.T, address, host string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "images", "nginx", "testdata", "targets.txt"))
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]int{}
	for text := range strings.Lines(string(content)) {
		line, want, isCase := strings.Cut(strings.TrimSuffix(text, "\n"), " => ")
		if !isCase || strings.HasPrefix(line, "#") || !passedOn.MatchString(line) || strings.Contains(line, "://") {
			continue
		}
		status, by, err := send(address, host, byteEscape.ReplaceAllStringFunc(line, func(e string) string {
			n, _ := strconv.ParseUint(e[2:], 16, 8)
			return string([]byte{byte(n)})
		}))
		answers[by]++
		switch {
		case err != nil:
			t.Errorf("%s: %v", line, err)
		case want == byApp && by != byApp, want != byApp && by == byApp:
			t.Errorf("%s: %d from the %s, want %s", line, status, by, want)
		case by == bySidecar && strconv.Itoa(status) != want:
			t.Errorf("%s: %d from the %s, want %s", line, status, by, want)
		}
	}
	t.Logf("the contract through %s: %v", address, answers)
	if answers[byApp] < 15 || answers[bySidecar] < 50 {
		t.Errorf("too few answers of the app or the sidecar: %v", answers)
	}
}

// send sends one request line as it is, and returns the answer's status and who gave it.
func send(address, host, line string) (status int, by string, err error) {
	to, err := url.Parse(address)
	if err != nil {
		return 0, "", err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	var connection net.Conn
	if to.Scheme == "https" {
		connection, err = tls.DialWithDialer(dialer, "tcp", to.Host, &tls.Config{InsecureSkipVerify: true})
	} else {
		connection, err = dialer.Dial("tcp", to.Host)
	}
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := fmt.Fprintf(connection, "%s\r\nHost: %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", line, host); err != nil {
		return 0, "", err
	}
	method, _, _ := strings.Cut(line, " ")
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: method})
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", err
	}
	return response.StatusCode, answeredBy(response, string(body)), nil
}

// answeredBy tells the answers apart: NGINX names itself in all that passes it, and its own errors carry an id.
func answeredBy(response *http.Response, body string) string {
	switch {
	case response.Header.Get("Server") != "nginx":
		return byWayIn
	case strings.Contains(body, `"request_id":"`), body == healthy, response.ContentLength == int64(len(healthy)): // an answer to HEAD has no body
		return bySidecar
	}
	return byApp
}
