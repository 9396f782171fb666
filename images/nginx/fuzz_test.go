package nginx_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// FuzzRawRequest sends mutated bytes to nginx and holds everything that the
// application receives against the contract. Without -fuzz it replays its
// seeds and testdata/fuzz, where a run puts what it finds. Minimising an input of
// a network test is guesswork and holds everything up, hence 1x.
//
//	go test ./images/nginx -run '^$' -fuzz FuzzRawRequest -fuzztime 60s -fuzzminimizetime 1x
func FuzzRawRequest(f *testing.F) {
	// Seeds: a few of each kind; the whole files are TestNothingOutside…'s.
	for i, c := range rawCases(f) {
		if len(c) < 600 && i%3 == 0 {
			f.Add([]byte(c))
		}
	}
	// The fuzzing workers are processes of their own: they share one task, which
	// the first process starts and ends.
	const where = "SIDECAR_FUZZ_TASK"
	if os.Getenv(where) == "" {
		task := imagetest.Start(f, imagetest.Options{})
		f.Setenv(where, task.Addr+" "+task.Control())
	}
	addr, control, _ := strings.Cut(os.Getenv(where), " ")
	client := &http.Client{Timeout: 10 * time.Second}

	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := imagetest.Exchange(addr, string(data), 25*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(a.Raw, "secret") {
			t.Errorf("/internal answered: %q", a.Raw)
		}
		resp, err := client.Get(control + "/requests") //nolint:gosec,noctx // loopback; the client has a time-out
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		var seen imagetest.Seen
		if err := json.NewDecoder(resp.Body).Decode(&seen); err != nil {
			t.Fatal(err)
		}
		for _, r := range seen.Requests {
			if why := (mode{admits: belowAPI}).outside(r); why != "" {
				t.Errorf("%s: application saw %q", why, r.Head)
			}
		}
		if len(seen.Requests) > 50 { // keep the record short
			if resp, err := client.Post(control+"/reset", "", nil); err == nil { //nolint:gosec,noctx // loopback; the client has a time-out
				_ = resp.Body.Close()
			}
		}
	})
}
