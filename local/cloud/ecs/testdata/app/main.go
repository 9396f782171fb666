// Command app plays every container of the tests: a server, its health check, a one-shot, a bystander.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	switch role := os.Args[1]; role {
	case "serve":
		serve()
	case "health":
		response, err := http.Get("http://127.0.0.1:" + os.Getenv("PORT") + "/health")
		if err != nil || response.StatusCode != http.StatusOK {
			os.Exit(1)
		}
	case "break", "crash":
		if _, err := http.Get("http://127.0.0.1:" + os.Getenv("PORT") + "/" + role); err != nil {
			os.Exit(1)
		}
	case "exit":
		code, _ := strconv.Atoi(os.Args[2])
		fmt.Println("exits with", code)
		os.Exit(code)
	case "touch":
		if err := os.WriteFile(os.Args[2], nil, 0o600); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "stat":
		if _, err := os.Stat(os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "idle":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGQUIT)
		fmt.Println("idle")
		fmt.Printf("signal %v at %d\n", <-signals, time.Now().UnixNano())
		time.Sleep(300 * time.Millisecond)
		fmt.Printf("ended at %d\n", time.Now().UnixNano())
		fmt.Print("and no newline")
	}
}

func serve() {
	var broken atomic.Bool
	broken.Store(os.Getenv("BROKEN") != "")
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv("VERSION")) })
	http.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/break", func(w http.ResponseWriter, r *http.Request) { broken.Store(true) })
	http.HandleFunc("/crash", func(w http.ResponseWriter, r *http.Request) { os.Exit(3) })
	http.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Second)
		fmt.Fprint(w, "slow")
	})
	http.HandleFunc("/facts", facts)
	server := &http.Server{Addr: ":" + os.Getenv("PORT")}
	stopped := make(chan struct{})
	go func() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGQUIT)
		fmt.Printf("signal %v at %d\n", <-signals, time.Now().UnixNano())
		if os.Getenv("ABRUPT") != "" {
			os.Exit(0)
		}
		_ = server.Shutdown(context.Background())
		fmt.Printf("ended at %d\n", time.Now().UnixNano())
		close(stopped)
	}()
	late, _ := time.ParseDuration(os.Getenv("LATE"))
	time.Sleep(late)
	fmt.Println("serving", os.Getenv("VERSION"))
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Println(err)
		os.Exit(1)
	}
	<-stopped
}

// facts tells what the container sees of its surroundings.
func facts(w http.ResponseWriter, _ *http.Request) {
	var nofile syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &nofile)
	host, _ := os.Hostname()
	answer := map[string]any{
		"uid": os.Getuid(), "gid": os.Getgid(), "root": write("/"), "declared": describe("/declared"), "plain": describe("/plain"),
		"nofile": nofile.Cur, "host": host, "region": os.Getenv("AWS_REGION"), "port80": listen("127.0.0.1:80"),
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func write(dir string) string {
	if err := os.WriteFile(filepath.Join(dir, "probe"), nil, 0o600); err != nil {
		return err.Error()
	}
	return "written"
}

func describe(dir string) string {
	info, err := os.Stat(dir)
	if err != nil {
		return err.Error()
	}
	owner := info.Sys().(*syscall.Stat_t)
	names, _ := os.ReadDir(dir)
	return fmt.Sprintf("%o %d:%d %d files, %s", info.Mode().Perm()|sticky(info.Mode()), owner.Uid, owner.Gid, len(names), write(dir))
}

func sticky(m os.FileMode) os.FileMode {
	if m&os.ModeSticky != 0 {
		return 0o1000
	}
	return 0
}

func listen(address string) string {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = syscall.Close(fd) }()
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: 80, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err.Error()
	}
	return "bound " + address
}
