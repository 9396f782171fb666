package nginx

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// maintenanceFile makes the health page answer 503 as long as it is there.
const maintenanceFile = folder + "/maintenance"

// appPage is the page that gets its answer from the app, for the health check alone.
const appPage = ownPath + "/app"

// pageTimeout is how long NGINX may take to answer its own health page.
const pageTimeout = 2 * time.Second

// Health is the container's health check: nil if NGINX answers its health page, or, with AppHealthPath, if the app answers
// that path through NGINX with a status from 200 to 399.
func (s Settings) Health() error {
	if err := checkDisk(); err != nil {
		return err
	}
	page, limit := s.HealthPage(), pageTimeout
	if s.AppHealthPath != "" {
		page, limit = appPage, time.Duration(s.AppHealthTimeout)*time.Second
	}
	status, body, err := s.get(page, limit)
	switch {
	case page == appPage && (err != nil || status < 200 || status >= 400):
		return s.explain(status, body, err)
	case err != nil:
		return fmt.Errorf("%s: %w", page, err)
	case status >= 200 && status < 400:
		return nil
	case status == 503 && page != appPage && maintained():
		return nil // for the load balancer; the container is healthy
	}

	return fmt.Errorf("%s: got status %d", page, status)
}

// checkDisk makes a file as a request's body would. If the disk is full, ECS starts another task, with an empty disk. The
// file is removed again, because the space that it already has would always suffice.
func checkDisk() error {
	const file = folder + "/body/check"
	if err := os.WriteFile(file, []byte("full?\n"), 0o600); err != nil {
		return err
	}

	return os.Remove(file)
}

func maintained() bool {
	_, err := os.Stat(maintenanceFile)
	return err == nil
}

// get requests a page of NGINX in the same container.
func (s Settings) get(page string, limit time.Duration) (status int, body string, err error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))
	connection, err := net.DialTimeout("tcp", address, limit) //nolint:noctx // bounded by its time-out
	if err != nil {
		return 0, "", err
	}
	if s.TLS {
		connection = tls.Client(connection, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // on loopback, to the certificate that this container has made
	}

	return get(connection, page, limit)
}

// get requests a page and closes the connection. The package net/http would be most of this program.
func get(connection net.Conn, page string, limit time.Duration) (status int, body string, err error) {
	defer connection.Close() //nolint:errcheck // the answer is there or not
	if err := connection.SetDeadline(time.Now().Add(limit)); err != nil {
		return 0, "", err
	}
	if _, err := io.WriteString(connection, "GET "+page+" HTTP/1.0\r\n\r\n"); err != nil {
		return 0, "", err
	}

	return readAnswer(connection)
}

// largestPage bounds what is read of an answer. NGINX's own pages are shorter.
const largestPage = 64 << 10

// readAnswer reads the status and the body of an answer that ends with the connection.
func readAnswer(from io.Reader) (status int, body string, err error) {
	reader := bufio.NewReader(io.LimitReader(from, largestPage))
	line, err := reader.ReadString('\n')
	words := strings.Fields(line)
	if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/1.") {
		return 0, "", errors.Join(err, fmt.Errorf("got the status line %q", line))
	}
	if status, err = strconv.Atoi(words[1]); err != nil {
		return 0, "", fmt.Errorf("got the status line %q", line)
	}
	rest, err := io.ReadAll(reader)
	_, body, _ = strings.Cut(string(rest), "\r\n\r\n")
	if errors.Is(err, io.ErrUnexpectedEOF) || len(rest) > 0 {
		err = nil // the status decides, and a page may be longer than what is read
	}

	return status, body, err
}
