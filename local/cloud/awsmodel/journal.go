package awsmodel

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// maxBody is how much of a request is looked into, in bytes. Nothing that describes a resource is longer; what is, is a
// file on its way to S3.
const maxBody = 4 << 20

// Journal writes what became of every request of a run into the run's folder, one line of JSON each.
type Journal struct {
	checker *Checker
	failure error // why there is no checker

	mutex sync.Mutex
	file  *os.File
}

// journalFile is the journal of the run in a folder.
func journalFile(runDir string) string { return filepath.Join(runDir, "aws-requests.jsonl") }

// NewJournal begins the journal of a run. Where there are no models it says so of every request, and the run goes on.
func NewJournal(ctx context.Context, runDir, motoServer string) (*Journal, error) {
	file, err := os.Create(journalFile(runDir))
	if err != nil {
		return nil, fmt.Errorf("journal of requests: %w", err)
	}
	journal := &Journal{file: file}
	models, err := FindData(ctx, motoServer)
	if err == nil {
		journal.checker, err = Open(models)
	}
	journal.failure = err
	return journal, nil
}

// Close ends the journal.
func (j *Journal) Close() error { return j.file.Close() }

// Before returns a handler that checks every request and passes it on as it came.
func (j *Journal) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		rest := r.Body
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), rest), rest}
		if err := j.write(j.report(r, body)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (j *Journal) report(r *http.Request, body []byte) Report {
	switch {
	case j.failure != nil:
		return Report{Unidentified: j.failure.Error()}
	case len(body) == maxBody:
		return Report{Unidentified: fmt.Sprintf("%s %s: longer than %d bytes", r.Method, r.URL.Path, maxBody)}
	}
	return j.checker.Check(r, body)
}

func (j *Journal) write(report Report) error {
	line, err := json.Marshal(report)
	if err != nil {
		return err
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	_, err = j.file.Write(append(line, '\n'))
	return err
}

// Summary is what a journal says up to now.
type Summary struct {
	Requests     int      // that were checked
	Operations   int      // that they called
	Violations   []string // a sentence each, every one once
	Unidentified int      // requests that were not checked
	Reasons      []string // why not, every one once
	Unchecked    []string // shapes whose pattern could not be applied
}

// Summarize reads the journal of a run. Of a run without one it says nothing.
func Summarize(runDir string) (Summary, error) {
	file, err := os.Open(journalFile(runDir))
	if errors.Is(err, os.ErrNotExist) {
		return Summary{}, nil
	}
	if err != nil {
		return Summary{}, fmt.Errorf("journal of requests: %w", err)
	}
	defer func() { _ = file.Close() }()
	var summary Summary
	operations, violations, reasons, unchecked := set{}, set{}, set{}, set{}
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break // the end, or a line that is being written
		}
		var report Report
		if err := json.Unmarshal(line, &report); err != nil {
			return Summary{}, fmt.Errorf("journal of requests: %w", err)
		}
		if report.Unidentified != "" {
			summary.Unidentified++
			reasons.add(report.Unidentified)
			continue
		}
		summary.Requests++
		operations.add(report.Service + " " + report.Operation)
		unchecked.add(report.Unchecked...)
		for _, violation := range report.Violations {
			violations.add(violation.String())
		}
	}
	summary.Operations = len(operations)
	summary.Violations, summary.Reasons, summary.Unchecked = violations.sorted(), reasons.sorted(), unchecked.sorted()
	return summary, nil
}

// String is the summary as `make local` prints it.
func (s Summary) String() string {
	text := fmt.Sprintf("requests  %d of %d operations checked against AWS's API models; violations: %d; not checked: %d", s.Requests, s.Operations, len(s.Violations), s.Unidentified)
	if len(s.Unchecked) > 0 {
		text += fmt.Sprintf("; patterns not applied: %s", strings.Join(s.Unchecked, ", "))
	}
	for _, sentence := range s.Violations {
		text += "\n          AWS would refuse this: " + sentence
	}
	for _, reason := range s.Reasons {
		text += "\n          not checked: " + reason
	}
	return text
}

type set map[string]bool

func (s set) add(entries ...string) {
	for _, entry := range entries {
		s[entry] = true
	}
}

func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }
