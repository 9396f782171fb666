package nginx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// configurationFile is what NGINX reads.
const configurationFile = folder + "/nginx.conf"

// staticRoot is where the volumes with static files are: each at its number and its path, so that a path is a file's name.
const staticRoot = "/srv/static"

// historyRoot is the volume with the files of all releases.
const historyRoot = staticRoot + "/history"

// StaticDirectory is where the files of a path are, of which index is the place in Settings.StaticPaths.
func StaticDirectory(index int, path string) string {
	return fmt.Sprintf("%s/%d%s", staticRoot, index+1, strings.TrimSuffix(path, Site))
}

// HistoryDirectory is where the files of all releases are, if NGINX keeps them.
const HistoryDirectory = historyRoot

// Prepare checks what the settings need in the container, and writes NGINX's configuration and its certificate.
func (s Settings) Prepare() error {
	if err := s.checkVolumes(); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if s.TLS {
		if err := writeCertificate(folder); err != nil {
			return fmt.Errorf("certificate: %w", err)
		}
	}

	return s.writeConfiguration(false)
}

// writeConfiguration writes what NGINX reads at its start and, for a stop, at its reload. The file is there whole or not at
// all, since a stop may come while NGINX starts.
func (s Settings) writeConfiguration(stopping bool) error {
	openFiles, err := mostOpenFiles()
	if err != nil {
		return err
	}
	const draft = configurationFile + ".draft"
	file, err := os.Create(draft)
	if err != nil {
		return err
	}
	c := s.configuration(openFiles)
	c.Stopping = stopping

	if err := errors.Join(c.write(file), file.Close()); err != nil {
		return err
	}

	return os.Rename(draft, configurationFile)
}

// mostOpenFiles is the container's hard limit, above which NGINX could not raise its own.
func mostOpenFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}

	return int(min(limit.Max, 1<<30)), nil //nolint:gosec // at most that
}

// checkVolumes refuses paths of static files whose volume is empty: the app's image does not declare the directory, so
// nothing was copied there.
func (s Settings) checkVolumes() error {
	var errs []error
	fallback := false
	for i, path := range s.StaticPaths {
		directory := StaticDirectory(i, path)
		if empty(directory) {
			errs = append(errs, wrong(StaticPaths.Name, path,
				"a path with files in "+directory+"; the application's image has to declare their directory as a VOLUME"))
		}
		_, err := os.Stat(filepath.Join(directory, "index.html"))
		fallback = fallback || err == nil
	}
	if s.AppRoot != "" && empty(DocumentRoot) {
		errs = append(errs, wrong(AppRoot.Name, s.AppRoot,
			"a directory with files in "+DocumentRoot+"; the application's image has to declare it as a VOLUME"))
	}
	if s.SPAFallback && !fallback {
		errs = append(errs, wrong("NGINX_SPA_FALLBACK", "on", "off, or an index.html directly below one of the paths of static files"))
	}
	if s.StaticHistory && syscall.Access(historyRoot, 2) != nil { // 2 is W_OK
		errs = append(errs, wrong("NGINX_STATIC_HISTORY", "on", "off, or a volume at "+historyRoot+" that nginx may write to"))
	}

	return errors.Join(errs...)
}

func empty(directory string) bool {
	d, err := os.Open(directory)
	if err != nil {
		return true
	}
	defer d.Close() //nolint:errcheck // only read
	_, err = d.ReadDir(1)

	return errors.Is(err, io.EOF) || errors.Is(err, fs.ErrPermission)
}
