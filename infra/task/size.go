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

func readSize(r *settings.Reader) (cpu, memory int) {
	var cpus []int
	for _, size := range fargateSizes {
		cpus = append(cpus, size.cpu)
	}
	cpu = r.Among("cpu", cpus, "CPU units (Fargate sizes)")
	memory = r.Between("memory", 512, 122880, "MiB")

	if r.Wrong("cpu") || r.Wrong("memory") {
		return cpu, memory
	}

	row := fargateSizes[slices.Index(cpus, cpu)].memory
	if !slices.Contains(row, memory) {
		r.Fail("memory", fmt.Sprintf("%d with cpu %d is not a Fargate size", memory, cpu), amounts(row)+" MiB")
	}

	return cpu, memory
}

// DefaultStorageGiB is the disk that Fargate gives a task if its definition asks for none. It is free of charge.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html
const DefaultStorageGiB = 20

// readEphemeralStorage returns zero for Fargate's default, which cannot be asked for by its number.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EphemeralStorage.html
func readEphemeralStorage(r *settings.Reader) int {
	size := r.Between("ephemeralStorageGiB", 0, 200, "GiB")
	if !r.Wrong("ephemeralStorageGiB") && size > 0 && size <= DefaultStorageGiB {
		r.Fail("ephemeralStorageGiB", strconv.Itoa(size), "0 (which is 20 GiB), or 21 to 200 GiB")
	}

	return size
}

// amounts writes a long row as its ends and its step.
func amounts(row []int) string {
	if len(row) <= 4 {
		return settings.List(row)
	}

	return strconv.Itoa(row[0]) + " to " + strconv.Itoa(row[len(row)-1]) + " in steps of " + strconv.Itoa(row[1]-row[0])
}
