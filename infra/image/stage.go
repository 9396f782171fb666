package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// The Docker provider compares all of its inputs with those of the last update, including the path of the context and all
// nine permission bits of each file. If only the path or a permission differs, the provider builds the image again and
// pushes it under the same tag, which ECR refuses.
// https://github.com/pulumi/pulumi-docker/blob/v4.11.2/provider/provider.go
//
// So the provider never gets the context itself. It gets a copy whose permissions do not depend on the umask, in a folder
// that is named by the digest of everything the build depends on. The inputs then stay the same if the context moves or is
// checked out on another machine, and every change that does reach the inputs also changes the tag.

// stages is the folder inside the project that holds the copies.
const stages = ".build"

// unused is the time after which a copy is removed if no run has asked for it. It is not removed at once, because a run of
// another stack in the same checkout may be using it. Every run asks for its copies when it begins, and no run takes a day.
const unused = 24 * time.Hour

// staged is a copy of a build context.
type staged struct {
	folder string // a relative path
	digest string // of everything the build depends on, 64 hexadecimal digits
}

// stage copies the files that a build can see, and removes old copies. Two runs may do this at the same time: each writes to
// a folder of its own, and the first one to rename its folder wins.
func stage(args Args) (staged, error) {
	if err := os.MkdirAll(stages, 0o755); err != nil {
		return staged{}, err
	}
	sweep(time.Now().Add(-unused))

	draft, err := os.MkdirTemp(stages, "draft-")
	if err != nil {
		return staged{}, err
	}
	defer os.RemoveAll(draft) //nolint:errcheck // It was renamed, or a later run removes it.
	if err := copyContext(args, draft); err != nil {
		return staged{}, err
	}
	digest, err := contentDigest(args, draft)
	if err != nil {
		return staged{}, err
	}

	done := staged{folder: stages + "/" + digest, digest: digest}
	if err := os.Rename(draft, done.folder); err != nil {
		if _, missing := os.Stat(done.folder); missing != nil {
			return staged{}, err
		}
		// The copy exists already. The modification time of its folder says when a run last asked for it.
		now := time.Now()
		return done, os.Chtimes(done.folder, now, now)
	}

	return done, nil
}

// isStages reports whether a path of a context is the folder of copies.
func isStages(path string) bool {
	if filepath.Base(path) != stages {
		return false
	}
	folder, err := os.Stat(stages)
	if err != nil {
		return false
	}
	info, err := os.Stat(path)

	return err == nil && os.SameFile(folder, info)
}

var stagePattern = regexp.MustCompile(`^(draft-[0-9]+|[0-9a-f]{64})$`)

// sweep removes copies that were last asked for before the given time. Errors are ignored, because an old copy that stays
// only takes up disk space.
func sweep(before time.Time) {
	entries, err := os.ReadDir(stages)
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && stagePattern.MatchString(entry.Name()) && info.ModTime().Before(before) {
			_ = os.RemoveAll(filepath.Join(stages, entry.Name()))
		}
	}
}

// copyContext copies the files that the ignore list does not exclude. It always copies the Dockerfile and the ignore list
// itself, because the builder reads both even if the list excludes them.
func copyContext(args Args, into string) error {
	context, err := filepath.EvalSymlinks(args.Context)
	if err != nil {
		return err
	}
	list, ignore, err := ignored(context, args.Dockerfile)
	if err != nil {
		return err
	}
	err = filepath.WalkDir(context, func(path string, item fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if isStages(path) { // the project lies in the context
			return filepath.SkipDir
		}
		return copyItem(context, path, into, item, ignore)
	})
	if err != nil {
		return err
	}
	for _, name := range []string{args.Dockerfile, list} {
		copied := filepath.Join(into, name)
		if _, err := os.Lstat(copied); name == "" || err == nil {
			continue
		}
		if err := copyFile(filepath.Join(context, name), copied); err != nil {
			return err
		}
	}

	return normalise(into)
}

// ignored reads the ignore list with the builder's own parser, so that the copy holds the files that the builder would see.
// A list that is named after the Dockerfile takes precedence over the general one. The first result is the name of the list,
// which is empty if there is none.
// https://docs.docker.com/build/concepts/context/#dockerignore-files
func ignored(context, dockerfile string) (string, *patternmatcher.PatternMatcher, error) {
	for _, name := range []string{dockerfile + ".dockerignore", ".dockerignore"} {
		path := filepath.Join(context, name)
		list, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(list))
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", path, err)
		}
		matcher, err := patternmatcher.New(patterns)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", path, err)
		}

		return name, matcher, nil
	}
	all, err := patternmatcher.New(nil)

	return "", all, err
}

func copyItem(context, path, into string, item fs.DirEntry, ignore *patternmatcher.PatternMatcher) error {
	relative, err := filepath.Rel(context, path)
	if err != nil || relative == "." {
		return err
	}
	out, err := ignore.MatchesOrParentMatches(relative)
	if err != nil {
		return err
	}
	if out {
		// A pattern that begins with an exclamation mark may include files of an ignored directory again.
		if item.IsDir() && !ignore.Exclusions() {
			return filepath.SkipDir
		}
		return nil
	}

	copied := filepath.Join(into, relative)
	switch item.Type() {
	case fs.ModeDir:
		return os.MkdirAll(copied, 0o755)
	case fs.ModeSymlink:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			return err
		}
		return os.Symlink(target, copied)
	case 0:
		return copyFile(path, copied)
	default:
		return fmt.Errorf("%s is neither a file, a directory nor a symbolic link", path)
	}
}

// linkAllowed is where a symbolic link may point.
const linkAllowed = "a relative path to something in the context that .dockerignore does not exclude"

// problem is something in a build context that no build can use.
type problem struct{ found, allowed string }

// unusable lists all such things in a context. Staging would stop at the first one, after the settings were read.
func unusable(directory, dockerfile string) (wrong []problem, err error) {
	context, err := filepath.EvalSymlinks(directory)
	if err != nil {
		return nil, err
	}
	_, ignore, err := ignored(context, dockerfile)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(context, func(path string, item fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(context, path)
		if err != nil || name == "." {
			return err
		}
		out, err := ignore.MatchesOrParentMatches(name)
		switch {
		case err != nil:
			return err
		case isStages(path), out && item.IsDir() && !ignore.Exclusions():
			return filepath.SkipDir
		case out, item.IsDir(), item.Type() == 0:
		case item.Type() != fs.ModeSymlink:
			wrong = append(wrong, problem{fmt.Sprintf("%q contains %s", directory, name), "files, directories and symbolic links"})
		case !linksInside(context, path, ignore):
			target, _ := os.Readlink(path) // it was one a moment ago
			wrong = append(wrong, problem{fmt.Sprintf("%q contains the symbolic link %s, which points to %s", directory, name, target), linkAllowed})
		}
		return nil
	})

	return wrong, err
}

// linksInside reports whether a symbolic link of a context points to something that the builder sees.
func linksInside(context, path string, ignore *patternmatcher.PatternMatcher) bool {
	end, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	name, err := filepath.Rel(context, end)
	if err != nil || name == ".." || strings.HasPrefix(name, ".."+string(filepath.Separator)) {
		return false
	}
	out, err := ignore.MatchesOrParentMatches(name)

	return err == nil && (name == "." || !out)
}

// copyFile copies a file's contents, whether it is executable, and its modification time. The time is not part of the
// digest. But web servers use it to tell whether a client's cached copy is still valid, so with a fixed time clients would
// go on using old files.
func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // Nothing was written.
	info, err := source.Stat()
	if err != nil {
		return err
	}

	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	copied, err := os.Create(to)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	_, err = io.Copy(copied, source)
	if err := errors.Join(err, copied.Chmod(mode), copied.Close()); err != nil {
		return err
	}

	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

// normalise gives the directories of a copy permissions that do not depend on the umask, and checks the symbolic links.
func normalise(folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // Nothing was written through it.

	return fs.WalkDir(root.FS(), ".", func(name string, item fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case item.IsDir():
			return root.Chmod(name, 0o755)
		case item.Type() == fs.ModeSymlink:
			return checkLink(folder, name)
		}
		return nil
	})
}

// checkLink refuses a symbolic link that points to nothing in the copy. The Docker provider follows every link: it would fail
// at one that leads nowhere, and outside the copy it could find something else on each machine.
func checkLink(folder, name string) error {
	root, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, name)
	end, err := filepath.EvalSymlinks(path)
	if err == nil && (end == root || strings.HasPrefix(end, root+string(filepath.Separator))) {
		return nil
	}
	target, err := os.Readlink(path)
	if err != nil {
		return err
	}

	return fmt.Errorf("symbolic link %s points to %s; allowed: %s", name, target, linkAllowed)
}
