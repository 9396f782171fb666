package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// dockerSDK is the version of the Docker SDK in go.mod, and thus of the Docker provider. The defaults of a build can differ
// between versions, and the provider treats a changed default as a changed build.
const dockerSDK = "4.11.2"

// contentDigest returns 64 hexadecimal digits that stand for everything a build depends on: the provider's version, the
// inputs of the build, and each file of the staged context with its permissions. The times and owners of files are left
// out. So is what the build downloads, except for the base image, whose name and digest are among the inputs.
func contentDigest(args Args, folder string) (string, error) {
	// The staged folder is named after the digest, which is not known yet, so the inputs get a fixed name here.
	inputs, err := json.Marshal(buildInputs(args, "."))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	entry(sum, "provider", dockerSDK)
	entry(sum, "inputs", string(inputs))

	err = filepath.WalkDir(folder, func(path string, item fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		return add(sum, filepath.ToSlash(name), path, item)
	})
	if err != nil {
		return "", err
	}

	return hex.EncodeToString(sum.Sum(nil)), nil
}

func add(sum hash.Hash, name, path string, item fs.DirEntry) error {
	switch item.Type() {
	case fs.ModeDir:
		entry(sum, "directory", name)
		return nil
	case fs.ModeSymlink:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		entry(sum, "link", name, target)
		return nil
	}

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
	entry(sum, "file", name, info.Mode().String(), string(own.Sum(nil)))

	return nil
}

// entry writes words with their lengths, so that two different lists of words never give the same bytes. Writing to a hash
// never fails.
func entry(sum hash.Hash, words ...string) {
	_, _ = fmt.Fprintf(sum, "%d\n", len(words))
	for _, word := range words {
		_, _ = fmt.Fprintf(sum, "%d:%s\n", len(word), word)
	}
}
