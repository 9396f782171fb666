// Command app-go is the sample API once more, in Go and from the standard library alone: an app of another language
// that moves in behind the sidecar by settings. Its image is made from nothing and holds no other program.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// drain is how long a stopping app finishes requests: less than the time that ECS leaves it, 60 s by default.
const drain = 50 * time.Second

func main() {
	if err := run(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	cfg, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	return serve(ctx, cfg, logged(slog.New(slog.NewJSONHandler(os.Stdout, nil)), routes()))
}

// settings are those that the task definition gives to every app.
type settings struct {
	host string
	port int
	// socket is a path where the app listens as well; NGINX prefers it to the port. Empty is none.
	socket string
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
	cfg := settings{host: environment("HOST"), port: port, socket: environment("SOCKET"), keepAlive: time.Duration(milliseconds) * time.Millisecond}
	if cfg.host == "" {
		cfg.host = "127.0.0.1"
	}

	var socketErr error
	// The kernel takes 107 bytes: https://man7.org/linux/man-pages/man7/unix.7.html
	if cfg.socket != "" && (!filepath.IsAbs(cfg.socket) || len(cfg.socket) > 107) {
		socketErr = fmt.Errorf("SOCKET: %q; allowed: an absolute path of at most 107 bytes", cfg.socket)
	}

	return cfg, errors.Join(portErr, keepAliveErr, socketErr)
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
	listeners, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	failed := make(chan error, len(listeners))
	for _, listener := range listeners {
		go func() { failed <- server.Serve(listener) }()
	}

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()

	return server.Shutdown(last)
}

// listen opens the port, and the socket where there is one.
func listen(ctx context.Context, cfg settings) ([]net.Listener, error) {
	var config net.ListenConfig
	port, err := config.Listen(ctx, "tcp", cfg.address())
	if err != nil || cfg.socket == "" {
		return []net.Listener{port}, err
	}
	if err := removeStale(ctx, cfg.socket); err != nil {
		return nil, err
	}
	socket, err := config.Listen(ctx, "unix", cfg.socket)
	if err != nil {
		return nil, err
	}
	// NGINX is another user, and to connect it needs the right to write.
	return []net.Listener{port, socket}, os.Chmod(cfg.socket, 0o666)
}

// removeStale removes the socket that a crashed process has left behind: nobody can listen on its path as long as the
// file is there. A socket that still answers stays, and so does a file of another kind.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("SOCKET: %s: a file that is no socket", path)
	}
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = connection.Close()
		return fmt.Errorf("SOCKET: %s: another process listens", path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return err
	}

	return os.Remove(path)
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
	_, _ = w.Write([]byte(text)) //nolint:gosec // plain text, see above
}

// logged writes a line for each request under the id that NGINX gave it, without the query, which carries names and
// tokens, and none for health checks.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			next.ServeHTTP(w, r)
			return
		}
		begin, noted := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(noted, r)
		log.Info("request", "request_id", r.Header.Get("X-Request-Id"), "method", r.Method, "path", r.URL.EscapedPath(),
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
