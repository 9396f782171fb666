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

// The Docker provider compares everything it is given: the path of the context, and of each file the permissions, all
// nine bits of them. Where only one of these differs it builds again and pushes the tag of before, which ECR refuses.
// https://github.com/pulumi/pulumi-docker/blob/v4.11.2/provider/provider.go
//
// So the provider is never given the context itself. It gets a copy with permissions that depend on no umask, in a
// folder whose name is the digest of all that the build depends on. Then a context that moved, or that another machine
// checked out, changes nothing at all; and whatever does change something changes the tag.

// stages is the folder of the copies, in the project.
const stages = ".build"

// unused is how long a copy stays that no run has asked for. Removing it at once would take it from under another
// stack's run in the same checkout; a run asks for its copies anew when it begins, and none takes a day.
const unused = 24 * time.Hour

// staged is a copy of a build context.
type staged struct {
	folder string // a relative path
	digest string // of all that the build depends on, 64 hexadecimal digits
}

// stage copies what a build can see, and removes old copies. Two runs may do this at once: each writes a folder of its
// own, and the first to rename it wins.
func stage(args Args) (staged, error) {
	if err := os.MkdirAll(stages, 0o755); err != nil {
		return staged{}, err
	}
	sweep(time.Now().Add(-unused))

	draft, err := os.MkdirTemp(stages, "draft-")
	if err != nil {
		return staged{}, err
	}
	defer os.RemoveAll(draft) //nolint:errcheck // Gone already, or swept later.
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
		// The copy exists. Its folder's time says when it was last asked for.
		now := time.Now()
		return done, os.Chtimes(done.folder, now, now)
	}

	return done, nil
}

var stagePattern = regexp.MustCompile(`^(draft-[0-9]+|[0-9a-f]{64})$`)

// sweep removes copies that were last asked for before the given time. They are in nobody's way but the disk's, so a
// failure is none.
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

// copyContext copies the files that the ignore list leaves, and those two that the builder reads whatever the list
// says: the Dockerfile and the list.
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
		if path == stages { // the context is the whole project
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

// ignored reads the ignore list with the builder's own parser, so that both see the same files. One that is named
// after the Dockerfile counts before the general one. The first result is the list's name, empty without a list.
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
		// A pattern that begins with an exclamation mark may bring files of an ignored directory back.
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
		return fmt.Errorf("%s is neither file, directory nor symbolic link", path)
	}
}

// copyFile copies contents, whether the file is executable, and its time. The time is in no digest; but web servers
// tell by it whether a client's copy of a file is still good, so a fixed one would make them serve old files.
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

// normalise gives the directories of a copy the permissions that they have under no umask, and checks its links.
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

// checkLink refuses a link that the Docker provider could not follow, or that would lead to something else on another
// machine: the provider follows every link.
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

	return fmt.Errorf("symbolic link %s leads to %s; allowed: a relative path to something in the context that "+
		".dockerignore does not leave out", name, target)
}
