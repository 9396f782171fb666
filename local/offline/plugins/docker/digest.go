package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// digest sums up everything a build can see: the path, the kind, the executable bit and the content of every file below
// the context that .dockerignore leaves in, and the Dockerfile wherever it lies. Owners and times are left out: the
// same checkout gives the same digest on every machine.
func digest(context, dockerfile string) (string, error) {
	ignored, err := readIgnore(context, dockerfile)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if err := addFile(sum, "Dockerfile", dockerfile); err != nil {
		return "", fmt.Errorf("dockerfile: %w", err)
	}
	err = filepath.WalkDir(context, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(context, path)
		if err != nil || relative == "." {
			return err
		}
		out, err := ignored.MatchesOrParentMatches(relative)
		switch {
		case err != nil:
			return fmt.Errorf(".dockerignore: %w", err)
		case !out:
			return addEntry(sum, relative, path, entry)
		case entry.IsDir() && !ignored.Exclusions():
			return filepath.SkipDir // nothing below can be let in again
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("context: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// readIgnore reads the patterns of Dockerfile.dockerignore, else of .dockerignore in the context
// (https://docs.docker.com/build/concepts/context/#dockerignore-files).
func readIgnore(context, dockerfile string) (*patternmatcher.PatternMatcher, error) {
	var patterns []string
	for _, path := range []string{dockerfile + ".dockerignore", filepath.Join(context, ".dockerignore")} {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		patterns, err = ignorefile.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		break
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, fmt.Errorf(".dockerignore: %w", err)
	}
	return ignored, nil
}

// addEntry adds one directory, link or file. A socket or device, which no build context can carry, is an error of the
// build, not of the digest.
func addEntry(sum hash.Hash, name, path string, entry fs.DirEntry) error {
	name = filepath.ToSlash(name)
	switch {
	case entry.IsDir():
		addRecord(sum, "directory", name, 0)
		return nil
	case entry.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		addRecord(sum, "link", name, int64(len(target)))
		_, err = io.WriteString(sum, target)
		return err
	case entry.Type().IsRegular():
		return addFile(sum, name, path)
	}
	return nil
}

func addFile(sum hash.Hash, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	stat, err := file.Stat()
	if err != nil {
		return err
	}
	kind := "file"
	if stat.Mode()&0o111 != 0 {
		kind = "executable"
	}
	addRecord(sum, kind, name, stat.Size())
	_, err = io.Copy(sum, file)
	return err
}

// addRecord writes a header that ends in a byte no path holds and says how much content follows, so that no two trees
// give the same stream. A hash takes every write.
func addRecord(sum hash.Hash, kind, name string, size int64) {
	_, _ = fmt.Fprintf(sum, "%s %d %s\x00", kind, size, name)
}
