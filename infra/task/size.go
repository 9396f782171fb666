package task

import (
	"fmt"
	"slices"
	"strconv"

	"fargate-nginx-sidecar/infra/settings"
)

// fargateSize is one row of Fargate's table: the memory amounts, in MiB, that exist for a number of CPU units.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
type fargateSize struct {
	cpu    int
	memory []int
}

var fargateSizes = []fargateSize{
	{256, []int{512, 1024, 2048}},
	{512, steps(1024, 4096, 1024)},
	{1024, steps(2048, 8192, 1024)},
	{2048, steps(4096, 16384, 1024)},
	{4096, steps(8192, 30720, 1024)},
	{8192, steps(16384, 61440, 4096)},
	{16384, steps(32768, 122880, 8192)},
}

// steps returns lowest, lowest+step, … highest.
func steps(lowest, highest, step int) []int {
	var all []int
	for n := lowest; n <= highest; n += step {
		all = append(all, n)
	}

	return all
}

func readSize(g settings.Group) (cpu, memory int) {
	const source = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html"
	var cpus []int
	for _, size := range fargateSizes {
		cpus = append(cpus, size.cpu)
	}
	cpu = g.IntOf("cpu", 1024, cpus, "CPU units", "CPU of a task, in CPU units, of which 1024 make one vCPU.", source)
	memory = g.Int("memory", 2048, 512, 122880, "MiB", "Memory of a task, in MiB; which amounts Fargate offers depends on `task.cpu`.", source)

	if g.Wrong("cpu") || g.Wrong("memory") {
		return cpu, memory
	}

	row := fargateSizes[slices.Index(cpus, cpu)].memory
	if !slices.Contains(row, memory) {
		g.Fail("memory", fmt.Sprintf("%d with cpu %d is not a Fargate size", memory, cpu), amounts(row)+" MiB")
	}

	return cpu, memory
}

// DefaultStorageGiB is the disk that Fargate gives a task whose definition sets none. It is free of charge.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html
const DefaultStorageGiB = 20

// readEphemeralStorage returns zero for Fargate's default, which no definition can set by its number.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EphemeralStorage.html
func readEphemeralStorage(g settings.Group) int {
	return int(g.Else("Fargate's 20GiB").Size("storage", 0, (DefaultStorageGiB+1)*settings.GiB, 200*settings.GiB,
		"Size of a task's own disk, which the images use, too. What is written there is gone when the task stops.",
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html") / settings.GiB)
}

// amounts writes a long row as its ends and its step.
func amounts(row []int) string {
	if len(row) <= 4 {
		return settings.Numbers(row)
	}

	return strconv.Itoa(row[0]) + " to " + strconv.Itoa(row[len(row)-1]) + " in steps of " + strconv.Itoa(row[1]-row[0])
}
