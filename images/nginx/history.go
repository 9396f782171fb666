package nginx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// keepFiles copies the files that are served under a name with a hash to the history, before the first request, so that
// every other task has what this one's pages link to. More names than the template's map has do no harm, since NGINX looks
// for no other. A file is there whole or not at all, however many tasks copy it: it gets its name last. What is there
// already has the same content.
func (s Settings) keepFiles(staticRoot, history string) error {
	for i, path := range s.StaticPaths {
		volume := filepath.Join(staticRoot, fmt.Sprint(i+1))
		err := filepath.WalkDir(filepath.Join(volume, path), func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if strings.HasPrefix(entry.Name(), ".") && entry.IsDir() {
				return fs.SkipDir
			}
			name := strings.TrimPrefix(file, volume)
			if !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") || !s.mayHaveHash(name) {
				return nil
			}

			return keepFile(file, history+name)
		})
		if err != nil {
			return fmt.Errorf("NGINX_STATIC_HISTORY: files could not be copied to %s: %w", history, err)
		}
	}

	return nil
}

// hashPattern fits every bundler's manner, and many another name. A task only looks for a file here that it does not have.
var hashPattern = regexp.MustCompile(`[._-][A-Za-z0-9_-]{8,64}(\.[a-z0-9]{1,12}){1,2}$`)

func (s Settings) mayHaveHash(name string) bool {
	told := slices.ContainsFunc(s.HashedPaths, func(path string) bool { return covers(path, name) })

	return told || hashPattern.MatchString(name)
}

// keepFile copies one file, with its time, which is part of its ETag. A file that NGINX could not read is left out.
func keepFile(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	source, err := os.Open(from)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // only read
	info, err := source.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(to), ".*")
	if err != nil {
		return err
	}
	_, err = io.Copy(draft, source)
	err = errors.Join(err, draft.Chmod(0o644), draft.Close(), os.Chtimes(draft.Name(), info.ModTime(), info.ModTime()))
	if err == nil {
		err = os.Rename(draft.Name(), to)
	}
	if err != nil {
		_ = os.Remove(draft.Name()) // the first failure is the one to report
	}

	return err
}
