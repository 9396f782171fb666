package nginx

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// counts are the numbers of NGINX's status page.
// https://nginx.org/en/docs/http/ngx_http_stub_status_module.html#data
type counts struct {
	active, accepted, handled, requests, reading, writing, waiting int
}

// statusPage is NGINX's page with its counts.
const statusPage = ownPath + "/status"

func parseCounts(page string) (c counts, err error) {
	_, err = fmt.Sscanf(strings.ReplaceAll(page, "\n", " "),
		"Active connections: %d server accepts handled requests %d %d %d Reading: %d Writing: %d Waiting: %d",
		&c.active, &c.accepted, &c.handled, &c.requests, &c.reading, &c.writing, &c.waiting)

	return c, err
}

// line is what has happened since the line before: dropped are connections that NGINX had to close at once, because it was
// full. The request for the page itself is not in it.
func (c counts) line(before counts, now time.Time) string {
	return fmt.Sprintf(`{"time":"%s","event":"connections","connections":%d,"reading":%d,"writing":%d,"waiting":%d,"accepted":%d,"dropped":%d,"requests":%d}`+"\n",
		now.UTC().Format("2006-01-02T15:04:05+00:00"), c.active-1, c.reading, c.writing-1, c.waiting,
		c.accepted-before.accepted-1, c.accepted-c.handled-before.accepted+before.handled, c.requests-before.requests-1)
}

// report writes a line with NGINX's counts at each interval, for as long as the program runs.
func (s Settings) report(to io.Writer) {
	var before counts
	for now := range time.Tick(time.Duration(s.StatusInterval) * time.Second) {
		_, page, err := s.get(statusPage, pageTimeout)
		if err != nil {
			continue
		}
		if c, err := parseCounts(page); err == nil {
			_, _ = io.WriteString(to, c.line(before, now)) // if the log is gone, there is no place to report it
			before = c
		}
	}
}
