// Package contract asks a proxy whether it does the sidecar's job, so that a
// benchmark compares like with like. What a proxy fails is shown beside its
// figures; it is measured all the same.
//
// It runs in the proxy's network namespace, with the recording backend of the
// project's image tests as the application.
package contract

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Report is what a proxy did.
type Report struct {
	Failed    []Failure
	Attacks   int            // sent
	Forwarded int            // of them, seen by the application
	Outside   int            // of these, outside the contract
	Why       map[string]int // what about them
	LoggedID  string         // of the answer to the request for LoggedPath
}

// Failure is a demand that the proxy does not meet.
type Failure struct{ Demand, Got string }

// asker sends requests through a proxy and asks the application what it saw.
type asker struct {
	address string // of the proxy
	control string // of the recording backend
	client  *http.Client
}

// Check asks everything.
func Check(address, control string, cases Cases) (Report, error) {
	a := &asker{address: address, control: control, client: &http.Client{
		Timeout:       10 * time.Second,
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	var r Report
	if err := a.ask(demands, &r); err != nil {
		return r, err
	}
	if err := a.good(cases.Good, &r); err != nil {
		return r, err
	}
	if err := a.attack(cases.Attacks, &r); err != nil {
		return r, err
	}
	last, err := a.get(LoggedPath + "?" + loggedQuery)
	if err != nil {
		return r, err
	}
	r.LoggedID = last.header.Get("X-Request-Id")
	return r, a.ask(lastDemands, &r)
}

func (a *asker) ask(list []demand, r *Report) error {
	for _, d := range list {
		if err := a.reset(); err != nil {
			return err
		}
		if err := d.ask(a); err != nil {
			r.Failed = append(r.Failed, Failure{d.name, err.Error()})
		}
	}
	return nil
}

// Question is what Serve reads.
type Question struct {
	Address string // of the proxy
	Control string // of the recording backend
	Cases   Cases
}

// Serve answers one Question with a Report, both JSON.
func Serve(in io.Reader, out io.Writer) error {
	var q Question
	if err := json.NewDecoder(in).Decode(&q); err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	report, err := Check(q.Address, q.Control, q.Cases)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(report)
}

// Demands are the names of all demands, in their order.
func Demands() []string {
	var names []string
	for _, d := range demands {
		names = append(names, d.name)
	}
	names = append(names, goodDemand, attackDemand, LogDemand)
	for _, d := range lastDemands {
		names = append(names, d.name)
	}
	return names
}

const (
	goodDemand   = "forwards every target that belongs below /api"
	attackDemand = "lets no attack through"
	// LogDemand is for whoever reads the log.
	LogDemand = "writes one line of JSON a request, with its id and without its query"
)

// The request whose log line is looked at.
const (
	LoggedPath  = "/api/users/logged"
	loggedQuery = "query=of-the-test"
)

// good sends what must be forwarded, each a second time if the first was not: on
// a busy machine a request may be given up before it is through.
func (a *asker) good(cases [][]byte, r *Report) error {
	missing, example := 0, ""
	for _, raw := range cases {
		times := 0
		for try := 0; try < 2 && times != 1; try++ {
			if err := a.reset(); err != nil {
				return err
			}
			_ = exchange(a.address, string(raw), time.Second)
			seen, err := a.seen()
			if err != nil {
				return err
			}
			times = seen.Total
		}
		if times != 1 {
			missing++
			example, _, _ = strings.Cut(string(raw), "\r\n")
		}
	}
	if missing > 0 {
		r.Failed = append(r.Failed, Failure{goodDemand, fmt.Sprintf("%d of %d not, as %q", missing, len(cases), example)})
	}
	return nil
}

// attack sends what must not get through, many at a time.
func (a *asker) attack(cases [][]byte, r *Report) error {
	if err := a.reset(); err != nil {
		return err
	}
	queue := make(chan []byte)
	var wg sync.WaitGroup
	for range 48 {
		wg.Go(func() {
			for raw := range queue {
				_ = exchange(a.address, string(raw), 300*time.Millisecond)
			}
		})
	}
	for _, raw := range cases {
		queue <- raw
	}
	close(queue)
	wg.Wait()
	seen, err := a.seen()
	if err != nil {
		return err
	}
	r.Attacks, r.Forwarded, r.Why = len(cases), seen.Total, map[string]int{}
	example := ""
	for _, request := range seen.Requests {
		if why := outside(request.Head); why != "" {
			r.Outside++
			r.Why[why]++
			example, _, _ = strings.Cut(request.Head, "\n")
		}
	}
	if r.Outside > 0 {
		r.Failed = append(r.Failed, Failure{attackDemand, fmt.Sprintf("%d of %d reached the application outside the contract, as %q", r.Outside, len(cases), strings.TrimSpace(example))})
	}
	return nil
}

// exchange sends bytes and returns what comes back until the other side closes,
// has answered, or the time is over.
func exchange(address, raw string, limit time.Duration) string {
	c, err := net.DialTimeout("tcp", address, 5*time.Second) //nolint:noctx // bounded by its time-out
	if err != nil {
		return ""
	}
	defer c.Close() //nolint:errcheck // the answer is there or not
	_ = c.SetDeadline(time.Now().Add(limit))
	_, _ = io.WriteString(c, raw)
	var got bytes.Buffer
	b := make([]byte, 32<<10)
	for got.Len() < 1<<20 {
		n, err := c.Read(b)
		got.Write(b[:n])
		if err != nil || whole(got.Bytes()) {
			break
		}
	}
	return got.String()
}

func whole(raw []byte) bool {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
	if err != nil {
		return false
	}
	defer resp.Body.Close() //nolint:errcheck // read from memory
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil
}

// seen is what the recording backend has seen since the last reset.
type seen struct {
	Connections int
	Total       int
	Requests    []struct{ Head string }
}

func (s seen) header(name string) []string {
	var values []string
	for _, r := range s.Requests {
		for _, line := range strings.Split(r.Head, "\n")[1:] {
			if n, v, ok := strings.Cut(strings.TrimRight(line, "\r"), ":"); ok && strings.EqualFold(n, name) {
				values = append(values, strings.TrimSpace(v))
			}
		}
	}
	return values
}

func (a *asker) seen() (seen, error) {
	var s seen
	resp, err := a.client.Get("http://" + a.control + "/requests") //nolint:noctx // the client has a time-out
	if err != nil {
		return s, fmt.Errorf("recording backend: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

func (a *asker) reset() error {
	resp, err := a.client.Post("http://"+a.control+"/reset", "", nil) //nolint:noctx // the client has a time-out
	if err != nil {
		return fmt.Errorf("recording backend: %w", err)
	}
	return resp.Body.Close()
}

// answer is a response with its body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *asker) get(target string, headers ...string) (answer, error) {
	return a.do(http.MethodGet, target, headers...)
}

func (a *asker) do(method, target string, headers ...string) (answer, error) {
	req, err := http.NewRequest(method, "http://"+a.address+target, nil) //nolint:noctx // the client has a time-out
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, body}, err
}

// untouched is an error when the application saw anything.
func (a *asker) untouched() error {
	s, err := a.seen()
	if err == nil && s.Total > 0 {
		line, _, _ := strings.Cut(s.Requests[0].Head, "\n")
		return fmt.Errorf("the application was asked: %s", strings.TrimSpace(line))
	}
	return err
}

func unzip(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// LogLine says what is missing in a proxy's log line of the request for
// LoggedPath, which was answered with an id.
func LogLine(line, id string) error {
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		return fmt.Errorf("no JSON: %.60q", line)
	}
	if id == "" {
		return errors.New("there is no id")
	}
	all := values(fields)
	for _, want := range []string{id, http.MethodGet, LoggedPath, "200"} {
		if !slices.Contains(all, want) {
			return fmt.Errorf("%q is not in it", want)
		}
	}
	if strings.Contains(line, loggedQuery) {
		return errors.New("the query is in it")
	}
	return nil
}

// values are all the values of a JSON object, at any depth.
func values(v any) []string {
	switch v := v.(type) {
	case map[string]any:
		var all []string
		for _, inner := range v {
			all = append(all, values(inner)...)
		}
		return all
	case []any:
		var all []string
		for _, inner := range v {
			all = append(all, values(inner)...)
		}
		return all
	}
	return []string{fmt.Sprint(v)}
}
