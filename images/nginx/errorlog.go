package nginx

import (
	"bufio"
	"io"
	"strings"
)

// filterErrors copies NGINX's error lines without what a query or a Referer carries: names, mail addresses, tokens. NGINX
// writes both into its lines, and no directive changes that. It returns at the end of the input.
func filterErrors(to io.Writer, from io.Reader) {
	lines := bufio.NewReaderSize(from, 4096) // NGINX's longest line has 2,048 bytes
	for {
		line, err := lines.ReadString('\n')
		if kept, ok := filterError(strings.TrimSuffix(line, "\n")); ok && line != "" {
			_, _ = io.WriteString(to, kept+"\n") // if the log is gone, there is no place to report it
		}
		if err != nil {
			return
		}
	}
}

// filterError cuts off the Referer, and from each word what follows a question mark, because a query has no blanks. A
// socket whose queue is full for a moment is no error: the request goes to the port. Where NGINX was tired of waiting, the line
// says which setting would have made it wait.
func filterError(line string) (kept string, ok bool) {
	if strings.Contains(line, "connect() to unix:") && strings.Contains(line, " failed (11: ") {
		return "", false
	}
	line, _, _ = strings.Cut(line, `, referrer: "`)
	switch {
	case !strings.Contains(line, "upstream timed out"):
	case strings.Contains(line, "while proxying upgraded connection"):
		line += ", silent for too long: ping more often, or raise ingress.idleTimeout"
	case strings.Contains(line, "while reading"):
		line += ", silent for too long: http.readTimeout"
	}
	if !strings.Contains(line, "?") {
		return line, true
	}
	words := strings.Fields(line)
	for i, word := range words {
		before, _, found := strings.Cut(word, "?")
		switch {
		case !found:
		case strings.HasSuffix(word, `",`):
			words[i] = before + `",`
		case strings.HasSuffix(word, `"`):
			words[i] = before + `"`
		default:
			words[i] = before
		}
	}

	return strings.Join(words, " "), true
}
