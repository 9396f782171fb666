// Command app is the web app to which the faults happen. It answers at once or slowly, takes uploads and keeps WebSockets
// open, and it misbehaves as its environment or a request asks.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

// FAULT is what is wrong with a revision of the app: one of these, or a time, such as 40s, after which it first listens.
const (
	faultCrash = "crash"
	faultIll   = "ill"
	faultPort  = "port"
)

func main() {
	log.SetFlags(0)
	fault, port := os.Getenv("FAULT"), cmp.Or(os.Getenv("PORT"), "3000")
	switch fault {
	case faultCrash:
		log.Print("the app starts")
		log.Fatal("fatal: no value for DATABASE_URL")
	case faultPort:
		port = "3999"
	}
	if late, err := time.ParseDuration(fault); err == nil {
		log.Printf("the app fills its cache for %s", late) //nolint:gosec // a duration
		time.Sleep(late)
	}
	address := net.JoinHostPort(cmp.Or(os.Getenv("HOST"), "127.0.0.1"), port)
	log.Printf("the app listens on %s", address) //nolint:gosec // the test's own settings
	if err := serve(address, routes(fault == faultIll)); err != nil {
		log.Fatal(err)
	}
}

// serve answers requests until the signal to stop, and then those it has.
func serve(address string, handler http.Handler) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	// Longer than NGINX keeps an idle connection, so that NGINX closes it.
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Shutdown(context.Background())
	}
}

func routes(ill bool) http.Handler {
	mux := http.NewServeMux()
	health := func(w http.ResponseWriter, _ *http.Request) {
		if ill {
			log.Print("the database does not answer")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	mux.HandleFunc("GET /healthz", health)
	mux.HandleFunc("GET /api/healthz", health) // where a load balancer reaches it, too
	mux.HandleFunc("/api/wait", wait)
	mux.HandleFunc("POST /api/upload", upload)
	mux.HandleFunc("GET /api/socket", echo)
	mux.HandleFunc("GET /api/users/1", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "user 1") })
	mux.HandleFunc("POST /api/fault/memory", func(http.ResponseWriter, *http.Request) { fillMemory() })
	mux.HandleFunc("POST /api/fault/descriptors", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "%d files are open now", exhaustDescriptors())
	})
	return mux
}

// wait answers after the time that the request asks for.
func wait(w http.ResponseWriter, r *http.Request) {
	after, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(after):
		_, _ = io.WriteString(w, "done")
	case <-r.Context().Done():
	}
}

func upload(w http.ResponseWriter, r *http.Request) {
	length, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		log.Printf("upload: %v", err)
		return
	}
	_, _ = fmt.Fprint(w, length)
}

// echo sends every message back.
func echo(w http.ResponseWriter, r *http.Request) {
	connection, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = connection.CloseNow() }()
	for {
		kind, message, err := connection.Read(r.Context())
		if err != nil {
			return
		}
		if err := connection.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

// fillMemory takes memory until the kernel ends the process.
func fillMemory() {
	log.Print("the app reads a table that has no end")
	var taken [][]byte
	for {
		block := make([]byte, 4<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1 // a page counts when it is written to
		}
		taken = append(taken, block)
		time.Sleep(time.Duration(len(taken)) * time.Microsecond)
	}
}

// descriptorLimit is what exhaustDescriptors leaves the process. The limit of a task is 65,535, which takes no other way but more
// files.
const descriptorLimit = 256

// opened are the files of exhaustDescriptors.
var opened []*os.File

// exhaustDescriptors opens files until no more can be opened, and keeps them open.
func exhaustDescriptors() int {
	limit := syscall.Rlimit{Cur: descriptorLimit, Max: descriptorLimit}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		log.Print(err)
		return 0
	}
	for {
		file, err := os.Open("/app")
		if err != nil {
			log.Print(err)
			return len(opened)
		}
		opened = append(opened, file)
	}
}
