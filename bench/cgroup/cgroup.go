// Package cgroup reads what the kernel counts for a container: CPU time and
// memory. It knows both versions of control groups.
//
// https://docs.kernel.org/admin-guide/cgroup-v2.html
// https://docs.kernel.org/admin-guide/cgroup-v1/cpuacct.html
// https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Group is where one container's figures are.
type Group struct {
	unified     bool // version 2: one folder for everything
	cpu, memory string
	quota       string // version 1 has the limit in another folder than the count
}

// Of is the group that a process belongs to.
func Of(pid int) (Group, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return Group{}, fmt.Errorf("control group: %w", err)
	}
	return find(string(text), "/sys/fs/cgroup")
}

// find reads lines like "2:cpuacct:/docker/…", of version 2 "0::/docker/…".
// https://man7.org/linux/man-pages/man7/cgroups.7.html
func find(lines, root string) (Group, error) {
	var g Group
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		words := strings.SplitN(line, ":", 3)
		if len(words) != 3 {
			continue
		}
		for _, controller := range strings.Split(words[1], ",") {
			path := filepath.Join(root, words[1], words[2])
			switch controller {
			case "cpuacct":
				g.cpu = path
			case "cpu":
				g.quota = path
			case "memory":
				g.memory = path
			}
		}
	}
	if g.cpu != "" && g.memory != "" && g.quota != "" {
		return g, nil
	}
	for _, line := range strings.Split(lines, "\n") {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			path = filepath.Join(root, path)
			return Group{unified: true, cpu: path, memory: path, quota: path}, nil
		}
	}
	return Group{}, fmt.Errorf("control group: got %q, needed: the controllers cpu, cpuacct and memory, or version 2", lines)
}

// CPUFile is the file with the processor time that the group has used so far, in
// the kernel and outside of it.
func (g Group) CPUFile() string {
	if g.unified {
		return filepath.Join(g.cpu, "cpu.stat")
	}
	return filepath.Join(g.cpu, "cpuacct.usage")
}

// CPU reads what CPUFile says.
func (g Group) CPU(text string) (time.Duration, error) {
	if g.unified {
		us, err := field(text, "usage_usec")
		return time.Duration(us) * time.Microsecond, err
	}
	ns, err := number(text)
	return time.Duration(ns), err
}

// Memory is what counts against the group's limit now, less the files that the
// kernel could drop at any time. Docker and ECS show the same figure.
// https://docs.docker.com/reference/cli/docker/container/stats/
func (g Group) Memory() (int64, error) {
	current, inactive := "memory.usage_in_bytes", "total_inactive_file"
	if g.unified {
		current, inactive = "memory.current", "inactive_file"
	}
	all, err := read(filepath.Join(g.memory, current), number)
	if err != nil {
		return 0, err
	}
	files, err := read(filepath.Join(g.memory, "memory.stat"), func(text string) (int64, error) { return field(text, inactive) })
	return max(all-files, 0), err
}

// Parent is the group around this one.
func (g Group) Parent() Group {
	return Group{unified: g.unified, cpu: filepath.Dir(g.cpu), memory: filepath.Dir(g.memory), quota: filepath.Dir(g.quota)}
}

// period is the kernel's default, and what Fargate's limits show.
const period = 100 * time.Millisecond

// Limit gives the group so many CPUs; 0 takes the limit away.
func (g Group) Limit(cpus float64) error {
	quota, name, none := strconv.FormatInt(int64(cpus*float64(period.Microseconds())), 10), "cpu.cfs_quota_us", "-1"
	if g.unified {
		name, none = "cpu.max", "max"
	}
	if cpus == 0 {
		quota = none
	}
	if g.unified {
		quota += " " + strconv.FormatInt(period.Microseconds(), 10)
	}
	if err := os.WriteFile(filepath.Join(g.quota, name), []byte(quota), 0o644); err != nil {
		return fmt.Errorf("limit of CPU: %w", err)
	}
	return nil
}

// Remove deletes an empty group from every hierarchy.
func (g Group) Remove() {
	if g.unified {
		_ = os.Remove(g.cpu)
		return
	}
	// Docker makes the folder in all of them, not only where we look.
	all, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup/*", filepath.Base(g.cpu)))
	for _, path := range all {
		_ = os.Remove(path)
	}
}

func read(path string, value func(string) (int64, error)) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("control group: %w", err)
	}
	n, err := value(string(text))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

func number(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("control group: got %q, want a number", text)
	}
	return n, nil
}

func field(text, name string) (int64, error) {
	for _, line := range strings.Split(text, "\n") {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return number(value)
		}
	}
	return 0, fmt.Errorf("control group: no line %s in %q", name, text)
}
