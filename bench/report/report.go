// Package report turns the results of a run into the tables and plots of
// docs/benchmark.md.
package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fargate-nginx-sidecar/bench/measure"
	"fargate-nginx-sidecar/bench/opponent"
	"fargate-nginx-sidecar/bench/plot"
)

// The generated part of the document lies between these lines.
const (
	begin = "<!-- begin results -->\n"
	end   = "<!-- end results -->\n"
)

// Write puts the tables into benchmark.md and draws the plots beside it.
func Write(r *measure.Results, docs string) error {
	path := filepath.Join(docs, "benchmark.md")
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	i, j := bytes.Index(doc, []byte(begin)), bytes.Index(doc, []byte(end))
	if i < 0 || j < i {
		return fmt.Errorf("%s: no lines %q and %q", path, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	var b bytes.Buffer
	b.Write(doc[:i+len(begin)])
	b.WriteString("\n" + Markdown(r))
	for _, p := range plot.All {
		fmt.Fprintf(&b, "\n![%s](%s)\n", p.Title, p.File)
	}
	b.WriteString("\n")
	b.Write(doc[j:])
	errs := []error{os.WriteFile(path, b.Bytes(), 0o644)}
	for _, p := range plot.All {
		errs = append(errs, os.WriteFile(filepath.Join(docs, p.File), []byte(p.Draw(r)), 0o644))
	}
	return errors.Join(errs...)
}

// Markdown is the generated part of the document.
func Markdown(r *measure.Results) string {
	var b strings.Builder
	head(&b, r)
	goals(&b, r)
	contracts(&b, r)
	rows(&b, r)
	paces(&b, r)
	flood(&b, r)
	bothCPUs(&b, r)
	return b.String()
}

func head(b *strings.Builder, r *measure.Results) {
	fmt.Fprintf(b, "Measured on %s: %s. %d rounds of %v for each row and proxy. Load average at the start %s, at the end %s.\n",
		r.Started.UTC().Format("2006-01-02"), r.Machine, r.Rounds, r.Window, r.Busy[0], r.Busy[1])
	if n := len(r.Continued); n > 0 {
		fmt.Fprintf(b, "The run was interrupted and continued between rows (%d ×).\n", n)
	}
	way := "a port"
	if r.Socket {
		way = "a Unix socket"
	}
	fmt.Fprintf(b, "The application listens on %s where a table does not say otherwise.\n", way)
	for _, missing := range r.Missing {
		fmt.Fprintf(b, "Not measured: %s.\n", missing)
	}
	var lines [][]string
	for _, o := range opponent.All {
		t := r.Target(o.Name)
		if t.Name == "" {
			continue
		}
		t.Socket = false // both ways are the same program
		var files []string
		for _, file := range o.Files {
			files = append(files, fmt.Sprintf("[%s](../bench/opponent/config/%s)", file, file))
		}
		lines = append(lines, []string{title(t), o.About, strings.Join(files, ", ")})
	}
	table(b, 3, []string{"Through", "What it is", "Configuration"}, lines)
}
