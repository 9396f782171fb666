// Package trial makes copies of this repository that may be changed and run: for the end-to-end tests, and for what
// makes a running stack suffer.
package trial

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// left are the folders that no run reads.
var left = []string{".git", ".build", ".local", ".github", "node_modules", "docs", "bench"}

// Copy copies the checkout at root into the folder target, which need not exist.
func Copy(root, target string) error {
	source := os.DirFS(root)
	return fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		to := filepath.Join(target, filepath.FromSlash(name))
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(left, entry.Name()):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(to, 0o755)
		case entry.Name() == ".git": // of a worktree, whose index and branch a copy would share
			return nil
		}
		return CopyFile(filepath.Join(root, filepath.FromSlash(name)), to)
	})
}

// CopyFile copies a file with its rights.
func CopyFile(source, target string) error {
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, info.Mode().Perm())
}

// HTTPSOffset lies between the two ports of the load balancer: LOCAL_PORT, and the one for HTTPS.
const HTTPSOffset = 363

// FreePort returns a port that nothing listens on, as on the one for HTTPS. A stack may open the second only minutes
// later, so both lie below the ports that the kernel gives to outgoing connections, which begin at 32768.
// https://docs.kernel.org/networking/ip-sysctl.html (ip_local_port_range)
func FreePort() (int, error) {
	for range 100 {
		port := 20000 + rand.IntN(12000) //nolint:gosec // no secret
		if Free(port) && Free(port+HTTPSOffset) {
			return port, nil
		}
	}
	return 0, errors.New("port: no two free ones between 20000 and 32767")
}

// Free says whether nothing listens on a port of the loopback address.
func Free(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // at once
	return err == nil && listener.Close() == nil
}
