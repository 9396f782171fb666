package nginx_test

import (
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// What a query carries (names, mail addresses, tokens) is in neither log, whatever goes wrong.
func TestTheQueryIsInNeitherLog(t *testing.T) {
	t.Parallel()
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_IDLE_TIMEOUT=5", "NGINX_RATE_LIMIT=5", "NGINX_RATE_BURST=20"}})
	const query = `?mail=secret&quote="secret&more=?secret`
	referer := `Referer: https://a.example/" x?token=secret`
	for _, line := range []string{
		"GET /api/x" + query + " HTTP/1.1",
		"GET /nothing" + query + " HTTP/1.1",
		"GET /api//x" + query + " HTTP/1.1",
		"GET /" + query + " HTTP/1.1",
		"GET /api/reset" + query + " HTTP/1.1",                                 // 502, the connection is cut
		"POST /api/reset" + query + " HTTP/1.1\r\nContent-Length: 0",           // the same
		"GET /api/headers?bytes=40000&" + query[1:] + " HTTP/1.1",              // 502, too long
		"GET /api/half" + query + " HTTP/1.1",                                  // cut after the status
		"GET /api/garbage" + query + " HTTP/1.1",                               // no HTTP
		"GET /api/hang" + query + " HTTP/1.1",                                  // 504
		"POST /api/x" + query + " HTTP/1.1\r\nContent-Length: 2000000",         // 413
		"GET /api/" + query + strings.Repeat("?secret", 1000) + " HTTP/1.1",    // cut by nginx's own limit for a line
		"GET /api/reset" + query + strings.Repeat("secret", 500) + " HTTP/1.1", // the same, with an error
		"GET /api/x" + query + " FTP/1.1",
		"GET http://b" + query + " HTTP/1.1",
	} {
		task.Send(t, line, referer)
	}
	refused := 0
	for range 60 {
		if task.Get(t, "/api/x"+query, referer).Status == 429 {
			refused++
		}
	}
	task.Down(t)
	time.Sleep(500 * time.Millisecond)
	task.Get(t, "/api/x"+query, referer)
	time.Sleep(1200 * time.Millisecond)
	log := task.Logs(t)
	if strings.Contains(log, "secret") {
		for _, line := range strings.Split(log, "\n") {
			if strings.Contains(line, "secret") {
				t.Errorf("in the log: %s", line)
			}
		}
	}
	// The lines themselves must be there, or this shows nothing.
	for _, want := range []string{
		`recv() failed`, `upstream sent too big header`, `upstream timed out`, `client intended to send too large body`, `Connection refused`,
		`request: "GET /api/hang HTTP/1.1", upstream: "http://127.0.0.1:3000/api/hang", host: "api.example.com"`, `"path":"/api/hang"`, `"status":429`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
	if refused < 10 || strings.Contains(log, "limiting requests") {
		t.Errorf("%d refused; a refusal has its line in the access log and none in the error log:\n%s", refused, log)
	}
}

func TestErrorsAreInTheLogAtOnceAndUpToTheEnd(t *testing.T) {
	t.Parallel()
	task := imagetest.Start(t, imagetest.Options{})
	task.Get(t, "/api/reset")
	for range 20 {
		if strings.Contains(task.Logs(t), "[error]") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !strings.Contains(task.Logs(t), "[error]") {
		t.Error("no error line after a second")
	}
	imagetest.Docker(t, "exec", task.Nginx, "sh", "-c", "kill -QUIT 1; exit 0")
	if code := imagetest.Docker(t, "wait", task.Nginx); code != "0\n" {
		t.Errorf("ended with %s", code)
	}
}
