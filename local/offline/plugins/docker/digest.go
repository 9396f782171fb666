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

// digest sums up what the official plugin sums up: of every file below the context that .dockerignore leaves in, the path,
// all permissions and the content; of a symbolic link the path that it leads to; and the Dockerfile wherever it lies. So a
// change that makes the official plugin build again makes this one, too. Directories, owners and times are left out.
// https://github.com/pulumi/pulumi-docker/blob/v4.11.2/provider/provider.go
func digest(context, dockerfile string) (string, error) {
	ignored, err := readIgnore(context, dockerfile)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if err := addFile(sum, 0, "Dockerfile", dockerfile); err != nil {
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

// addEntry adds one file or link. A socket or device, which no build context can carry, is an error of the build, not of
// the digest.
func addEntry(sum hash.Hash, name, path string, entry fs.DirEntry) error {
	name = filepath.ToSlash(name)
	switch {
	case entry.Type()&fs.ModeSymlink != 0:
		target, err := filepath.EvalSymlinks(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		addRecord(sum, info.Mode(), name, sha256.Sum256([]byte(filepath.ToSlash(target))))
		return nil
	case entry.Type().IsRegular():
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return addFile(sum, info.Mode(), name, path)
	}
	return nil
}

func addFile(sum hash.Hash, mode fs.FileMode, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	content := sha256.New()
	if _, err := io.Copy(content, file); err != nil {
		return err
	}
	addRecord(sum, mode, name, [sha256.Size]byte(content.Sum(nil)))
	return nil
}

// addRecord ends path and permissions with a byte that neither holds, so that no two trees give the same stream. A hash
// takes every write.
func addRecord(sum hash.Hash, mode fs.FileMode, name string, content [sha256.Size]byte) {
	_, _ = fmt.Fprintf(sum, "%s\x00%s\x00%x", name, mode, content)
}
