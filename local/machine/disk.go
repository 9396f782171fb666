package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Space is what something needs of a disk.
type Space struct {
	For  string // what is kept there, in words
	Dir  string // where; it need not be there yet
	Need uint64 // bytes
	Else string // how a person gets it to another place
}

// CheckSpace fails early and with figures, where a full disk half way through would fail with whatever the program at
// hand has to say. What lies on one file system needs the sum.
func CheckSpace(spaces ...Space) error {
	var disks []string
	on, free := map[string][]Space{}, map[string]uint64{}
	for _, space := range spaces {
		name, bytes, err := disk(space.Dir)
		if err != nil {
			return fmt.Errorf("disk: %s: %w", space.Dir, err)
		}
		if len(on[name]) == 0 {
			disks = append(disks, name)
		}
		on[name], free[name] = append(on[name], space), bytes
	}
	var full []error
	for _, name := range disks {
		full = append(full, enough(on[name], free[name]))
	}
	return errors.Join(full...)
}

// enough holds what is free on one file system against what is needed there.
func enough(spaces []Space, free uint64) error {
	var sum uint64
	var parts, ways []string
	for _, space := range spaces {
		sum += space.Need
		parts = append(parts, fmt.Sprintf("%.1f GB for %s in %s", float64(space.Need)/1e9, space.For, space.Dir))
		ways = append(ways, space.Else)
	}
	if free >= sum {
		return nil
	}
	return fmt.Errorf("disk: %.1f GB free, %.1f GB needed: %s; free some (%s)", float64(free)/1e9, float64(sum)/1e9, strings.Join(parts, ", "), strings.Join(ways, "; "))
}

// disk is the file system on which a folder is or would be, and how many bytes are free there.
func disk(dir string) (name string, free uint64, err error) {
	for {
		var at syscall.Statfs_t
		var file os.FileInfo
		if file, err = os.Stat(dir); err == nil {
			err = syscall.Statfs(dir, &at)
		}
		if errors.Is(err, os.ErrNotExist) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
			continue
		}
		if err != nil {
			return "", 0, err
		}
		status := file.Sys().(*syscall.Stat_t)
		return fmt.Sprint(status.Dev), at.Bavail * uint64(at.Bsize), nil //nolint:gosec // a block size is never negative; its type differs by platform
	}
}
