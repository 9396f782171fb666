package nginx

import (
	"strings"
	"testing"
)

// Who looks for the reason finds the setting beside it.
func TestTheLineOfWhatWasSilentForTooLongNamesTheSetting(t *testing.T) {
	const cut = `2026/11/30 12:00:00 [error] 7#7: *1 upstream timed out (110: Connection timed out) while proxying upgraded connection, client: 10.0.0.1, request: "GET /socket?token=1 HTTP/1.1"`
	got, ok := filterError(cut)
	if !ok || !strings.HasSuffix(got, "ping more often, or raise ingress.idleTimeout") || strings.Contains(got, "token") {
		t.Errorf("got %q", got)
	}
	const slow = `2026/11/30 12:00:00 [error] 7#7: *1 upstream timed out (110: Connection timed out) while reading response header from upstream`
	if got, _ := filterError(slow); got != slow+", silent for too long: http.readTimeout" {
		t.Errorf("an answer that is late: got %q", got)
	}
}
