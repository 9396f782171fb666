// Command app-go is the sample API once more, in Go and from the standard library alone: an app of another language
// that moves in behind the sidecar by settings. With -healthy it is its own health check, because an image made from
// nothing holds no other program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// drain is how long a stopping app finishes requests: less than the time that ECS leaves it, 60 s by default.
const drain = 50 * time.Second

func main() {
	healthy := flag.Bool("healthy", false, "ask a running app whether it is healthy, and end with 0 if it is")
	flag.Parse()

	cfg, err := readSettings(os.Getenv)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		if *healthy {
			err = check(ctx, cfg)
		} else {
			err = serve(ctx, cfg, logged(slog.New(slog.NewJSONHandler(os.Stdout, nil)), routes()))
		}
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settings are those that the task definition gives to every app.
type settings struct {
	host string
	port int
	// keepAlive is how long a silent connection stays open: longer than NGINX keeps it, so that NGINX closes first.
	keepAlive time.Duration
}

func readSettings(environment func(string) string) (settings, error) {
	number := func(name string, otherwise, highest int) (int, error) {
		text := environment(name)
		if text == "" {
			return otherwise, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > highest {
			return 0, fmt.Errorf("%s: %q; allowed: 1 to %d", name, text, highest)
		}
		return n, nil
	}

	port, portErr := number("PORT", 3000, 65535)
	milliseconds, keepAliveErr := number("KEEP_ALIVE_TIMEOUT_MS", 65_000, 5_000_000)
	cfg := settings{host: environment("HOST"), port: port, keepAlive: time.Duration(milliseconds) * time.Millisecond}
	if cfg.host == "" {
		cfg.host = "127.0.0.1"
	}

	return cfg, errors.Join(portErr, keepAliveErr)
}

func (s settings) address() string {
	return net.JoinHostPort(s.host, strconv.Itoa(s.port))
}

// serve answers requests until the context ends, and then those it has.
func serve(ctx context.Context, cfg settings, handler http.Handler) error {
	server := &http.Server{
		Addr:              cfg.address(),
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       cfg.keepAlive,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()

	return server.Shutdown(last)
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { answer(w, "Service is healthy") })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, "ok") })
	mux.HandleFunc("GET /api/users/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "User "+r.PathValue("id")+" found!")
	})
	mux.HandleFunc("GET /api/users/by/username/{username}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "User "+r.PathValue("username")+" found!")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":"not found"}`))
	})

	return mux
}

// answer is plain text: what a client sent in the path must not run as a script.
func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(text))
}

// logged writes a line for each request under the id that NGINX gave it, but none for health checks.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			next.ServeHTTP(w, r)
			return
		}
		begin, noted := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(noted, r)
		log.Info("request", "request_id", r.Header.Get("X-Request-Id"), "method", r.Method, "path", r.URL.RequestURI(),
			"status", noted.status, "duration_ms", time.Since(begin).Milliseconds())
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// check asks the app that listens under the same settings.
func check(ctx context.Context, cfg settings) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+cfg.address()+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s; allowed: 200", response.Status)
	}

	return nil
}
