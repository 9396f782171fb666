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

// dockerSDK is the version of the Docker SDK in go.mod, and so of the provider. Another one may have other defaults,
// which the provider takes for a change of the build.
const dockerSDK = "4.11.2"

// contentDigest returns 64 hexadecimal digits that stand for everything a build depends on: the provider, each of its
// inputs, and each file of the staged context with its permissions. Times and owners are left out. What a build
// fetches from elsewhere is not in it, the base image apart, whose name and digest are inputs.
func contentDigest(args Args, folder string) (string, error) {
	// The folder's name comes from the digest, so here it is any name.
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

// entry writes words with their lengths, so that no two lists of words give the same bytes. A hash takes everything.
func entry(sum hash.Hash, words ...string) {
	_, _ = fmt.Fprintf(sum, "%d\n", len(words))
	for _, word := range words {
		_, _ = fmt.Fprintf(sum, "%d:%s\n", len(word), word)
	}
}
