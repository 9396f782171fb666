package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fargate-nginx-sidecar/bench/contract"
	"fargate-nginx-sidecar/bench/measure"
	"fargate-nginx-sidecar/bench/opponent"
	"fargate-nginx-sidecar/bench/row"
	"fargate-nginx-sidecar/bench/stats"
)

// contracts shows which opponent does which part of the sidecar's job.
func contracts(b *strings.Builder, r *measure.Results) {
	header := []string{"Demand"}
	var asked []measure.Target
	for _, o := range opponent.All {
		if t := r.Target(o.Name); t.Name != "" && hasContract(r, o.Name) {
			t.Socket = false // the contract is the same both ways
			asked = append(asked, t)
			header = append(header, title(t))
		}
	}
	if len(asked) == 0 {
		return
	}
	b.WriteString("\n### Who does the job\n")
	var lines [][]string
	for _, demand := range contract.Demands() {
		line := []string{demand}
		for _, t := range asked {
			line = append(line, mark(r.Contracts[t.Opponent], demand))
		}
		lines = append(lines, line)
	}
	outside := []string{"attacks that reached the application outside the contract"}
	for _, t := range asked {
		c := r.Contracts[t.Opponent]
		outside = append(outside, fmt.Sprintf("%d of %d", c.Outside, c.Attacks))
	}
	table(b, 1, header, append(lines, outside))
}

func hasContract(r *measure.Results, name string) bool {
	_, ok := r.Contracts[name]
	return ok
}

func mark(c contract.Report, demand string) string {
	if slices.ContainsFunc(c.Failed, func(f contract.Failure) bool { return f.Demand == demand }) {
		return "no"
	}
	return "yes"
}

// rows shows every row with task and load on a CPU each.
func rows(b *strings.Builder, r *measure.Results) {
	for _, each := range row.All {
		header := []string{"Through", "contract", "CPU µs", "beside ours", "application's", "answers/s", "beside ours", "busy %", "p50 ms", "p99 ms", "lost", "log lines lost"}
		if each.Memory {
			header = append(header, "MiB")
		}
		compressed := len(each.Headers) > 0 && strings.HasPrefix(each.Headers[0], "Accept-Encoding")
		if compressed {
			header = append(header, "bytes")
		}
		var lines [][]string
		for _, t := range r.Targets {
			c := r.Cell(each.Name, t.Name, false)
			if c == nil {
				continue
			}
			line := append([]string{title(t), keeps(r, t)}, figures(r, c, t)...)
			if each.Memory {
				line = append(line, digits(slices.Max(c.Values(memory))))
			}
			if compressed {
				line = append(line, digits(stats.Of(c.Values(size)).Median))
			}
			lines = append(lines, line)
		}
		if len(lines) > 0 {
			name := each.Title
			if strings.Contains(name, "%d") {
				name = fmt.Sprintf(name, r.Most)
			}
			b.WriteString("\n### " + name + "\n")
			table(b, 2, header, lines)
		}
	}
}

// figures are what every row shows of a cell.
func figures(r *measure.Results, c *measure.Cell, t measure.Target) []string {
	served := t
	if each, _ := row.Find(c.Row); each.Static {
		served.Static = true // also by the application, which needs no other configuration for it
	}
	ours := r.Cell(c.Row, oursBeside(r, served), c.BothCPUs)
	cpu, cpuBeside := between(stats.Of(c.Values(proxyCPU))), beside(stats.Ratio(c.Values(proxyCPU), ours.Values(proxyCPU)))
	rateBeside := beside(stats.Ratio(c.Values(rate), ours.Values(rate)))
	if t.Opponent == opponent.Direct {
		cpu, cpuBeside = "–", "–"
	}
	if t.Opponent == opponent.Ours && !t.Cache {
		cpuBeside, rateBeside = "", ""
	}
	answers := between(stats.Of(c.Values(rate)))
	if slices.Max(c.Values(rate)) == 0 {
		answers, rateBeside = "none", "–"
	}
	return []string{
		cpu, cpuBeside, digits(stats.Of(c.Values(appCPU)).Median), answers, rateBeside,
		digits(stats.Of(c.Values(busy)).Median), digits(stats.Of(c.Values(p50)).Median), digits(stats.Of(c.Values(p99)).Median),
		strconv.Itoa(c.Lost()), logged(c),
	}
}

// logged says how many log lines are missing, where there should be any.
func logged(c *measure.Cell) string {
	if c.Logged.Wanted == 0 {
		return "–"
	}
	return strconv.Itoa(c.Logged.Lost())
}

// oursBeside is our target that is compared with another: with TLS as well, and
// with the same way to the application. Whoever does not have the way that the run
// is about is compared with ours as the run is about it.
func oursBeside(r *measure.Results, t measure.Target) string {
	way := t.Socket
	if r.Target(t.Opponent).Socket != r.Socket {
		way = r.Socket
	}
	beside := r.Target(opponent.Ours).Name
	for _, o := range r.Targets {
		if o.Opponent != opponent.Ours || o.Cache || o.TLS != t.TLS || o.Static != t.Static {
			continue
		}
		if o.Socket == way || t.TLS || t.Static {
			beside = o.Name
		}
	}
	return beside
}

// paces shows the answers' times at fixed rates.
func paces(b *strings.Builder, r *measure.Results) {
	if len(r.Pace) == 0 {
		return
	}
	b.WriteString("\n### Small answers at fixed rates, 64 connections\n\nThe rates are parts of what the slowest can do. An answer's time counts from when its request was due.\n")
	var lines [][]string
	for i, part := range row.Paces.Parts {
		if i >= len(r.Pace) {
			break
		}
		for _, t := range r.Targets {
			c := r.Cell(measure.PaceName(part), t.Name, false)
			if c == nil {
				continue
			}
			ours := r.Cell(c.Row, oursBeside(r, t), false)
			cpu := between(stats.Of(c.Values(proxyCPU)))
			if t.Opponent == opponent.Direct {
				cpu = "–"
			}
			against := beside(stats.Ratio(c.Values(p99), ours.Values(p99)))
			if t.Opponent == opponent.Ours {
				against = ""
			}
			lines = append(lines, []string{
				fmt.Sprintf("%.0f %%: %.0f/s", 100*part, r.Pace[i]), title(t), keeps(r, t), digits(stats.Of(c.Values(p50)).Median), between(stats.Of(c.Values(p99))),
				against, digits(stats.Of(c.Values(p999)).Median), cpu, strconv.Itoa(c.Lost()), logged(c),
			})
		}
	}
	table(b, 3, []string{"Rate", "Through", "contract", "p50 ms", "p99 ms", "p99 beside ours", "p99.9 ms", "CPU µs", "lost", "log lines lost"}, lines)
}

// flood shows good requests beside bad ones.
func flood(b *strings.Builder, r *measure.Results) {
	var lines [][]string
	for _, t := range r.Targets {
		alone, flooded := r.Cell(measure.FloodAlone, t.Name, false), r.Cell(measure.Flood, t.Name, false)
		if alone == nil || flooded == nil {
			continue
		}
		lines = append(lines, []string{
			title(t), keeps(r, t), digits(stats.Of(alone.Values(rate)).Median), digits(stats.Of(flooded.Values(rate)).Median),
			between(stats.Of(alone.Values(p99))), between(stats.Of(flooded.Values(p99))), digits(stats.Of(flooded.Values(refused)).Median), strconv.Itoa(flooded.Lost()), logged(flooded),
		})
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "\n### %.0f good requests a second, alone and beside %.0f refused ones\n", row.Flood.Good, row.Flood.Bad)
		table(b, 2, []string{"Through", "contract", "good/s alone", "good/s in the flood", "p99 ms alone", "p99 ms in the flood", "refused/s", "good ones lost", "log lines lost"}, lines)
	}
}

// bothCPUs shows the rows that were measured with everything on both CPUs.
func bothCPUs(b *strings.Builder, r *measure.Results) {
	var lines [][]string
	for _, each := range row.All {
		for _, t := range r.Targets {
			c := r.Cell(each.Name, t.Name, true)
			if c == nil {
				continue
			}
			f := figures(r, c, t)
			direct := r.Cell(each.Name, opponent.Direct, true)
			lines = append(lines, []string{each.Title, title(t), keeps(r, t), f[0], f[1], f[3], f[4], beside(stats.Ratio(c.Values(rate), direct.Values(rate))), f[7], f[8]})
		}
	}
	if len(lines) > 0 {
		b.WriteString("\n### Everything on both CPUs\n")
		table(b, 3, []string{"Load", "Through", "contract", "CPU µs", "beside ours", "answers/s", "beside ours", "beside direct", "p99 ms", "lost"}, lines)
	}
}
