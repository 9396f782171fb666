package contract

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Cases are requests byte for byte: what must be forwarded, and attacks, of
// which the application may only see what the contract lets through. They are no
// strings, because JSON would mend the bytes that are no UTF-8.
type Cases struct {
	Good    [][]byte
	Attacks [][]byte
	Dropped []string // headers that the application must not see
}

// emptied is how the sidecar drops a header.
// https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_set_header
var emptied = regexp.MustCompile(`(?m)^\s*proxy_set_header (\S+) "";`)

// Read makes them from the sidecar's configuration and the cases of its own
// tests, so that the benchmark asks for the contract as it is: folder is
// images/nginx.
func Read(folder string) (Cases, error) {
	var c Cases
	config, err := os.ReadFile(filepath.Join(folder, "nginx.conf.tmpl"))
	if err != nil {
		return c, fmt.Errorf("contract: %w", err)
	}
	for _, found := range emptied.FindAllSubmatch(config, -1) {
		c.Dropped = append(c.Dropped, string(found[1]))
	}
	testdata := filepath.Join(folder, "testdata")
	targets, err := lines(filepath.Join(testdata, "targets.txt"))
	if err != nil {
		return c, err
	}
	for _, line := range targets {
		request, wanted, ok := strings.Cut(line, " => ")
		if !ok {
			continue
		}
		raw := []byte(unescape(request) + "\r\nHost: api.example.com\r\n\r\n")
		if strings.TrimSpace(wanted) == "app" {
			c.Good = append(c.Good, raw)
		} else {
			c.Attacks = append(c.Attacks, raw)
		}
	}
	malformed, err := lines(filepath.Join(testdata, "attacks", "raw.txt"))
	if err != nil {
		return c, err
	}
	for _, line := range malformed {
		// A proxy may pass on what follows a chunked body. The recording backend does not
		// read it, and would take it for a request.
		if strings.Contains(line, `\r\n0\r\nTrailer: `) {
			continue
		}
		c.Attacks = append(c.Attacks, []byte(unescape(line)))
	}
	paths, err := lines(filepath.Join(testdata, "attacks", "paths.txt"))
	if err != nil {
		return c, err
	}
	for _, path := range paths {
		c.Attacks = append(c.Attacks, disguises(path)...)
	}
	c.Attacks = append(c.Attacks, climbs()...)
	return c, nil
}

func get(target string) []byte { return []byte("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n") }

// disguises are ways to ask for a path that is not below /api.
func disguises(path string) [][]byte {
	return [][]byte{
		get(path), get("/" + path), get(strings.ReplaceAll(path, ".", "%2e")), get("/api/.." + path), get("/api/..%2f" + path[1:]),
		get("/api/%2e%2e" + path), get("/x/../.." + path), get(path + "?/api/"), get(path + "%23/api/"),
	}
}

// climbs combine ways to write a separator and a step up.
func climbs() [][]byte {
	var all [][]byte
	for _, start := range []string{"/api", "/api/users/1", "/api;", "/static", ""} {
		for _, separator := range []string{"/", "%2f", "%252f", `\`, "%5c", "//", "/./", ";/", "%c0%af"} {
			for _, up := range []string{"..", ".%2e", "%2e%2e", "%252e%252e", "..;", "..;x=y", "..%00", "%c0%ae%c0%ae", "..%09"} {
				for depth := 1; depth <= 2; depth++ {
					all = append(all, get(start+strings.Repeat(separator+up, depth)+separator+"internal/secret"))
				}
			}
		}
	}
	return all
}

// lines are a file's, without comments and empty ones.
func lines(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	var list []string
	for _, line := range strings.Split(string(text), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list, nil
}

var (
	escapes = regexp.MustCompile(`\\(x[0-9a-f]{2}|[rnt0\\])`)
	repeats = regexp.MustCompile(`(?s)\{(.+?)\*(\d+)\}`)
	letters = map[byte]string{'r': "\r", 'n': "\n", 't': "\t", '0': "\x00", '\\': `\`}
)

// unescape reads what the head of raw.txt explains: \r \n \t \0 \\ \xNN and {X*N}.
func unescape(line string) string {
	line = escapes.ReplaceAllStringFunc(line, func(e string) string {
		if letter, ok := letters[e[1]]; ok {
			return letter
		}
		n, _ := strconv.ParseUint(e[2:], 16, 8) // the pattern lets nothing else through
		return string([]byte{byte(n)})
	})
	return repeats.ReplaceAllStringFunc(line, func(e string) string {
		m := repeats.FindStringSubmatch(e)
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	})
}
