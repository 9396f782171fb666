package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// contentDigest returns 64 hexadecimal digits that stand for everything a build depends on: the files of the context
// that .dockerignore leaves (path, permissions, contents, targets of symbolic links), the Dockerfile, the build
// arguments and the platform. Times and owners are left out: the same commit gives the same digest on every machine.
// What a build fetches from elsewhere, the base image first of all, is not in it.
func contentDigest(args Args) (string, error) {
	ignore, err := ignored(args.Context, args.Dockerfile)
	if err != nil {
		return "", err
	}

	sum := sha256.New()
	entry(sum, "platform", args.Platform())
	if args.Target != "" {
		entry(sum, "target", args.Target)
	}
	for _, key := range slices.Sorted(maps.Keys(args.BuildArgs)) {
		entry(sum, "argument", key, args.BuildArgs[key])
	}
	// The builder reads the Dockerfile even where .dockerignore keeps it out of the context.
	if err := file(sum, "dockerfile", filepath.Join(args.Context, args.Dockerfile)); err != nil {
		return "", err
	}

	err = filepath.WalkDir(args.Context, func(path string, item fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return add(sum, args.Context, path, item, ignore)
	})
	if err != nil {
		return "", err
	}

	return hex.EncodeToString(sum.Sum(nil)), nil
}

// ignored reads the ignore list with the builder's own parser, so that both see the same files. One that is named
// after the Dockerfile counts before the general one.
// https://docs.docker.com/build/concepts/context/#dockerignore-files
func ignored(context, dockerfile string) (*patternmatcher.PatternMatcher, error) {
	path := filepath.Join(context, dockerfile+".dockerignore")
	list, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		path = filepath.Join(context, ".dockerignore")
		list, err = os.ReadFile(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return patternmatcher.New(nil)
	}
	if err != nil {
		return nil, err
	}

	patterns, err := ignorefile.ReadAll(bytes.NewReader(list))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}

	return patternmatcher.New(patterns)
}

func add(sum hash.Hash, context, path string, item fs.DirEntry, ignore *patternmatcher.PatternMatcher) error {
	relative, err := filepath.Rel(context, path)
	if err != nil || relative == "." {
		return err
	}

	out, err := ignore.MatchesOrParentMatches(relative)
	if err != nil {
		return err
	}
	if out {
		// A pattern that begins with an exclamation mark may bring files of an ignored directory back.
		if item.IsDir() && !ignore.Exclusions() {
			return filepath.SkipDir
		}
		return nil
	}

	name := filepath.ToSlash(relative)
	switch item.Type() {
	case fs.ModeDir:
		info, err := item.Info()
		if err != nil {
			return err
		}
		entry(sum, "directory", name, info.Mode().Perm().String())
		return nil
	case fs.ModeSymlink:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		entry(sum, "link", name, target)
		return nil
	case 0:
		return file(sum, name, path)
	default:
		return fmt.Errorf("%s is neither file, directory nor symbolic link", path)
	}
}

func file(sum hash.Hash, name, path string) error {
	contents, err := os.Open(path)
	if err != nil {
		return err
	}
	defer contents.Close() //nolint:errcheck // Nothing was written.

	info, err := contents.Stat()
	if err != nil {
		return err
	}
	own := sha256.New()
	if _, err := io.Copy(own, contents); err != nil {
		return err
	}
	entry(sum, "file", name, info.Mode().Perm().String(), string(own.Sum(nil)))

	return nil
}

// entry writes words with their lengths, so that no two lists of words give the same bytes. A hash takes everything.
func entry(sum hash.Hash, words ...string) {
	_, _ = fmt.Fprintf(sum, "%d\n", len(words))
	for _, word := range words {
		_, _ = fmt.Fprintf(sum, "%d:%s\n", len(word), word)
	}
}
