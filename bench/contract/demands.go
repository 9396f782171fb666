package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// demand is one sentence of the contract.
type demand struct {
	name string
	ask  func(*asker) error
}

var demands = []demand{
	{"answers the health page itself", health},
	{"forwards /api with its query", forwards},
	{"refuses other paths with 404, without the application", otherPaths},
	{"refuses other methods with 405 and Allow, without the application", otherMethods},
	{"refuses in JSON, with the request's id", refusal},
	{"compresses text and JSON from 1000 bytes, with Vary", compression},
	{"leaves smaller answers as they are", floor},
	{"keeps its connections to the application", keepAlive},
	{"gives each request an id of its own", requestID},
	{"lets nobody forge the client's address", clientAddress},
	{"drops headers that name another host or path", forgedHeaders},
	{"passes WebSockets on", webSocket},
	{"passes no other upgrade on", otherUpgrade},
	{"refuses bodies over 1 MiB with 413, without the application", largeBody},
	{"forbids to guess types (nosniff)", nosniff},
}

// lastDemands come after everything else: a proxy that fails this one may hold
// the application for dead, and forward nothing for some seconds.
var lastDemands = []demand{
	{"takes 5 kB of headers from the application", longHeaders},
}

func health(a *asker) error {
	got, err := a.get("/")
	if err != nil {
		return err
	}
	if got.status != 200 || strings.TrimSpace(string(got.body)) != "Service is healthy" {
		return fmt.Errorf("status %d, body %.40q", got.status, got.body)
	}
	return a.untouched()
}

func forwards(a *asker) error {
	got, err := a.get("/api/users/1?a=b%20c")
	if err != nil {
		return err
	}
	s, err := a.seen()
	if err != nil {
		return err
	}
	if got.status != 200 || s.Total != 1 || !strings.HasPrefix(s.Requests[0].Head, "GET /api/users/1?a=b%20c HTTP/1.") {
		return fmt.Errorf("status %d, seen by the application: %d", got.status, s.Total)
	}
	return nil
}

func otherPaths(a *asker) error {
	for _, target := range []string{"/web/phpmyadmin", "/apifoo", "/api-docs", "/API/users", "/internal/secret"} {
		got, err := a.get(target)
		if err != nil {
			return err
		}
		if got.status != http.StatusNotFound {
			return fmt.Errorf("%s: status %d", target, got.status)
		}
	}
	return a.untouched()
}

func otherMethods(a *asker) error {
	got, err := a.do("PROPFIND", "/api/users/1")
	if err != nil {
		return err
	}
	if got.status != http.StatusMethodNotAllowed || !strings.Contains(got.header.Get("Allow"), "GET") {
		return fmt.Errorf("status %d, Allow %q", got.status, got.header.Get("Allow"))
	}
	return a.untouched()
}

func refusal(a *asker) error {
	for _, c := range []struct{ method, target string }{{"GET", "/web/phpmyadmin"}, {"PROPFIND", "/api/users/1"}} {
		got, err := a.do(c.method, c.target)
		if err != nil {
			return err
		}
		var body map[string]string
		if err := json.Unmarshal(got.body, &body); err != nil {
			return fmt.Errorf("%s %s: no JSON: %.40q", c.method, c.target, got.body)
		}
		if id := got.header.Get("X-Request-Id"); id == "" || body["request_id"] != id {
			return fmt.Errorf("%s %s: id %q in the header, %q in the body", c.method, c.target, id, body["request_id"])
		}
	}
	return nil
}

func compression(a *asker) error {
	for _, target := range []string{"/api/big?bytes=1100", "/api/big?bytes=20000", "/api/big?bytes=20000&type=text/plain"} {
		plain, err := a.get(target)
		if err != nil {
			return err
		}
		got, err := a.get(target, "Accept-Encoding: gzip")
		if err != nil {
			return err
		}
		if got.header.Get("Content-Encoding") != "gzip" {
			return fmt.Errorf("%s: not compressed", target)
		}
		if !strings.Contains(strings.ToLower(got.header.Get("Vary")), "accept-encoding") {
			return fmt.Errorf("%s: Vary %q", target, got.header.Get("Vary"))
		}
		if text, err := unzip(got.body); err != nil || !bytes.Equal(text, plain.body) {
			return fmt.Errorf("%s: another body compressed", target)
		}
	}
	return nil
}

func floor(a *asker) error {
	got, err := a.get("/api/big?bytes=990", "Accept-Encoding: gzip")
	if err == nil && got.header.Get("Content-Encoding") != "" {
		return errors.New("990 bytes are compressed")
	}
	return err
}

func keepAlive(a *asker) error {
	for range 40 {
		if _, err := a.get("/api/users/1"); err != nil {
			return err
		}
	}
	s, err := a.seen()
	// Connections from before the reset count for nothing, new ones do.
	if err == nil && s.Connections > 4 {
		return fmt.Errorf("40 requests, %d connections", s.Connections)
	}
	return err
}

func requestID(a *asker) error {
	ids := map[string]bool{}
	for range 2 {
		got, err := a.get("/api/users/1", "X-Request-Id: forged")
		if err != nil {
			return err
		}
		s, err := a.seen()
		if err != nil {
			return err
		}
		sent := s.header("X-Request-Id")
		id := got.header.Get("X-Request-Id")
		if id == "" || id == "forged" || len(sent) == 0 || sent[len(sent)-1] != id || ids[id] {
			return fmt.Errorf("%q to the application, %q to the client", sent, id)
		}
		ids[id] = true
	}
	return nil
}

func clientAddress(a *asker) error {
	if _, err := a.get("/api/users/1", "X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6"); err != nil {
		return err
	}
	s, err := a.seen()
	if err != nil {
		return err
	}
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip"} {
		if got := s.header(name); len(got) != 1 || got[0] != "127.0.0.1" {
			return fmt.Errorf("%s: %q", name, got)
		}
	}
	return nil
}

func forgedHeaders(a *asker) error {
	names := []string{"Forwarded", "X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "Proxy"}
	var headers []string
	for _, name := range names {
		headers = append(headers, name+": forged")
	}
	if _, err := a.get("/api/users/1", headers...); err != nil {
		return err
	}
	s, err := a.seen()
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, value := range s.header(name) {
			if strings.Contains(value, "forged") {
				return fmt.Errorf("%s: %s", name, value)
			}
		}
	}
	return nil
}

func upgrade(protocol string) string {
	return "GET /api/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + protocol +
		"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

func webSocket(a *asker) error {
	if got := exchange(a.address, upgrade("websocket"), time.Second); !strings.HasPrefix(got, "HTTP/1.1 101 ") {
		line, _, _ := strings.Cut(got, "\r\n")
		return errors.New(line)
	}
	return nil
}

func otherUpgrade(a *asker) error {
	if got := exchange(a.address, upgrade("h2c"), time.Second); strings.HasPrefix(got, "HTTP/1.1 101 ") {
		return errors.New("h2c opened a tunnel")
	}
	return nil
}

func largeBody(a *asker) error {
	got := exchange(a.address, "POST /api/items HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n", time.Second)
	if line, _, _ := strings.Cut(got, "\r\n"); !strings.HasPrefix(line, "HTTP/1.1 413") {
		return fmt.Errorf("%q", line)
	}
	return a.untouched()
}

func longHeaders(a *asker) error {
	got, err := a.get("/api/headers?bytes=5000")
	if err == nil && (got.status != 200 || len(got.header.Get("X-Long")) != 5000) {
		return fmt.Errorf("status %d", got.status)
	}
	return err
}

func nosniff(a *asker) error {
	for _, target := range []string{"/", "/api/users/1", "/web/phpmyadmin"} {
		got, err := a.get(target)
		if err != nil {
			return err
		}
		if got.header.Get("X-Content-Type-Options") != "nosniff" {
			return fmt.Errorf("%s: %q", target, got.header.Get("X-Content-Type-Options"))
		}
	}
	return nil
}
