package pulumi

import (
	"bytes"
	"io"
)

// pathWarning is what the CLI says of every stand-in it finds on PATH, which the toolchain has said before.
var pathWarning = []byte("warning: using pulumi-")

// quiet passes on the CLI's report without its noise and without empty lines.
type quiet struct {
	out  io.Writer
	line []byte // the beginning of a line whose end has not come yet
}

func (q *quiet) Write(content []byte) (int, error) {
	q.line = append(q.line, content...)
	for {
		end := bytes.IndexByte(q.line, '\n')
		if end < 0 {
			return len(content), nil
		}
		line := q.line[:end+1]
		if informative(line) {
			if _, err := q.out.Write(line); err != nil {
				return 0, err
			}
		}
		q.line = q.line[end+1:]
	}
}

// informative says whether a line tells a person anything.
func informative(line []byte) bool {
	text := bytes.TrimSpace(line)
	return len(text) > 0 && !bytes.HasPrefix(text, []byte("@ ")) && !bytes.Contains(text, pathWarning)
}
