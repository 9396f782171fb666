package cgroup

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func files(t *testing.T, root string, texts map[string]string) {
	t.Helper()
	for name, text := range texts {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBothVersionsGiveTheSameFigures(t *testing.T) {
	for name, c := range map[string]struct {
		lines string
		texts map[string]string
		limit string // the file with the parent's limit
		want  [2]string
	}{
		"version 1": {
			"9:name=systemd:/\n5:memory:/bench/c1\n4:cpuset:/bench/c1\n2:cpuacct:/bench/c1\n1:cpu:/bench/c1\n0::/\n",
			map[string]string{
				"cpuacct/bench/c1/cpuacct.usage":        "1234567000\n",
				"memory/bench/c1/memory.usage_in_bytes": "5000000\n",
				"memory/bench/c1/memory.stat":           "inactive_file 7\ntotal_inactive_file 1000000\n",
				"cpu/bench/cpu.cfs_quota_us":            "-1\n",
			},
			"cpu/bench/cpu.cfs_quota_us", [2]string{"25000", "-1"},
		},
		"version 1, shared": {
			"3:memory:/bench/c1\n1:cpu,cpuacct:/bench/c1\n",
			map[string]string{
				"cpu,cpuacct/bench/c1/cpuacct.usage":    "1234567000\n",
				"memory/bench/c1/memory.usage_in_bytes": "5000000\n",
				"memory/bench/c1/memory.stat":           "total_inactive_file 1000000\n",
				"cpu,cpuacct/bench/cpu.cfs_quota_us":    "-1\n",
			},
			"cpu,cpuacct/bench/cpu.cfs_quota_us", [2]string{"25000", "-1"},
		},
		"version 2": {
			"0::/bench/c1\n",
			map[string]string{
				"bench/c1/cpu.stat":       "usage_usec 1234567\nuser_usec 1000000\n",
				"bench/c1/memory.current": "5000000\n",
				"bench/c1/memory.stat":    "anon 3\ninactive_file 1000000\n",
				"bench/cpu.max":           "max 100000\n",
			},
			"bench/cpu.max", [2]string{"25000 100000", "max 100000"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			files(t, root, c.texts)
			g, err := find(c.lines, root)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(g.CPUFile())
			if err != nil {
				t.Fatal(err)
			}
			if cpu, err := g.CPU(string(text)); err != nil || cpu != 1234567*time.Microsecond {
				t.Errorf("CPU: got %v, %v", cpu, err)
			}
			if memory, err := g.Memory(); err != nil || memory != 4000000 {
				t.Errorf("memory: got %v, %v", memory, err)
			}
			for i, cpus := range []float64{0.25, 0} {
				if err := g.Parent().Limit(cpus); err != nil {
					t.Fatal(err)
				}
				if text, err := os.ReadFile(filepath.Join(root, c.limit)); err != nil || string(text) != c.want[i] {
					t.Errorf("limit of %v CPUs: got %q, %v, want %q", cpus, text, err, c.want[i])
				}
			}
		})
	}
}

func TestAGroupWithoutCountersIsAnError(t *testing.T) {
	if g, err := find("1:cpu:/x\n", t.TempDir()); err == nil {
		t.Errorf("got %+v", g)
	}
	for _, g := range []Group{{unified: true}, {}} {
		if cpu, err := g.CPU("nonsense"); err == nil {
			t.Errorf("%+v: got %v", g, cpu)
		}
	}
	if _, err := (Group{unified: true, memory: t.TempDir()}).Memory(); err == nil {
		t.Error("no file, and no error")
	}
}
