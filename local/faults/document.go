package faults

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Replace puts a text between the two comments of a section of a document, as in <!-- begin soak --> … <!-- end soak -->. Each
// part of a run writes its own section, so that a part can be repeated alone.
func Replace(document, section, text string) error {
	content, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	begin, end := []byte("<!-- begin "+section+" -->\n"), []byte("<!-- end "+section+" -->")
	before, rest, begins := bytes.Cut(content, begin)
	_, after, ends := bytes.Cut(rest, end)
	if !begins || !ends {
		return fmt.Errorf("%s lacks %s… %s", document, begin, end)
	}
	return os.WriteFile(document, bytes.Join([][]byte{before, begin, []byte("\n" + strings.TrimSpace(text) + "\n\n"), end, after}, nil), 0o644)
}

// measured is the line that says when a section was measured, and how to repeat it.
func measured(part string, seed uint64) string {
	return fmt.Sprintf("Measured on %s; `make faults PART=%s SEED=%d` repeats it.\n\n", today(), part, seed)
}

func today() string { return time.Now().UTC().Format(time.DateOnly) }

// RolloutsText is the table of deploys under load.
func RolloutsText(seed uint64, all ...Rollout) string {
	text := measured("rollouts", seed) + "| | " + strings.Join(names(all), " | ") + " |\n|---|" + strings.Repeat("---:|", len(all)) + "\n"
	row := func(name string, value func(Rollout) string) {
		text += "| " + name
		for _, r := range all {
			text += " | " + value(r)
		}
		text += " |\n"
	}
	row("deploys in a row", func(r Rollout) string { return fmt.Sprint(r.Deploys) })
	row("time of a deploy (median)", func(r Rollout) string { return seconds(r.median()) })
	for _, c := range clients {
		row(c.kind+": lost of", func(r Rollout) string {
			return fmt.Sprintf("%d of %s", r.lost(c.kind), thousands(len(r.Requests.of(c.kind))))
		})
	}
	row("**lost**", func(r Rollout) string {
		return fmt.Sprintf("**%d** of %s", len(r.Requests.lost()), thousands(len(r.Requests)))
	})
	for _, r := range all {
		if reasons := r.Requests.reasons(); reasons != "" {
			text += fmt.Sprintf("\nLost through %s: %s.\n", r.Name, reasons)
		}
	}
	return text
}

func names(all []Rollout) []string {
	var list []string
	for _, r := range all {
		list = append(list, r.Name)
	}
	return list
}

// BadDeploysText is the table of deploys that cannot work. What such an update says is in docs/troubleshooting.md.
func BadDeploysText(seed uint64, all []BadDeploy) string {
	text := measured("deploys", seed) + "| What is wrong | The update | after | lost requests |\n|---|---|---:|---:|\n"
	for _, b := range all {
		ends := "succeeds"
		if b.Failed {
			ends = "fails, rolled back"
		}
		text += fmt.Sprintf("| %s | %s | %s | %s |\n", b.Name, ends, seconds(b.Took), lostOf(b.Requests.lost(), b.Requests))
	}
	return text
}

// ServingText is the table of what happens to tasks that serve.
func ServingText(seed uint64, all []Outcome) string {
	text := measured("serving", seed) +
		"| What happens to one of two tasks, or to both | lost requests | the last of them after | all tasks serve after | What the service does | What clients see |\n|---|---:|---:|---:|---|---|\n"
	for _, o := range all {
		text += o.row()
	}
	return text
}

func (o Outcome) row() string {
	last, see := "–", "nothing"
	if len(o.Lost) > 0 {
		last, see = seconds(o.LastLost), o.Lost.reasons()
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", o.Name, lostOf(o.Lost, o.Requests), last, seconds(o.Whole), o.Follows, see)
}

// ReplaceRow puts a fault that was measured alone into the table of the faults, in place of its row or as the last one, and
// says below the table that it was.
func ReplaceRow(document string, seed uint64, o Outcome) error {
	const section = "serving"
	content, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(content), "<!-- begin "+section+" -->\n")
	text, _, _ := strings.Cut(rest, "<!-- end "+section+" -->")
	rows := regexp.MustCompile(`(?m)^\|.*\|\n`).FindAllString(text, -1)
	if len(rows) == 0 {
		return fmt.Errorf("%s: section %s has no table; measure all faults first", document, section)
	}
	row := o.row()
	if i := slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, "| "+o.Name+" | ") }); i >= 0 {
		text = strings.Replace(text, rows[i], row, 1)
	} else {
		last := rows[len(rows)-1]
		text = strings.Replace(text, last, last+row, 1)
	}
	text = regexp.MustCompile(`(?m)^Measured alone: `+regexp.QuoteMeta(o.Name)+`;.*\n\n?`).ReplaceAllString(text, "")
	return Replace(document, section, strings.TrimSpace(text)+fmt.Sprintf("\n\nMeasured alone: %s; on %s, with `make faults PART=serving FAULT='%[1]s' SEED=%[3]d`.\n", o.Name, today(), seed))
}

// SoakText compares the second quarter of the time with the last one. In the first quarter, caches and pools fill.
func SoakText(seed uint64, s Soak, picture string) string {
	text := measured("soak", seed) + fmt.Sprintf("In %s, the clients sent %s good requests, of which %s, and %s bad ones, of which %d were answered as if they were good. ECS replaced %d tasks.\n\n",
		duration(s.Lasted), thousands(len(s.Requests)), wereLost(len(s.Requests.lost())), thousands(s.Bad), len(s.Passed), s.Replaced)
	text += "| Median of | second quarter | last quarter |\n|---|---:|---:|\n"
	for _, curve := range curves {
		text += fmt.Sprintf("| %s, %s | %.3g | %.3g |\n", curve.name, curve.unit, medianOf(s.quarter(1), curve.value), medianOf(s.quarter(3), curve.value))
	}
	if reasons := s.Requests.reasons(); reasons != "" {
		text += "\nLost: " + reasons + ".\n"
	}
	return text + fmt.Sprintf("\n<img src=\"%s\" width=\"900\" alt=\"Memory, open files and time of an answer during the soak\">\n", picture)
}

func wereLost(n int) string {
	if n == 1 {
		return "1 was lost"
	}
	return fmt.Sprintf("%d were lost", n)
}

func lostOf(lost, all Requests) string {
	return fmt.Sprintf("%d of %s", len(lost), thousands(len(all)))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }

// duration writes minutes where there are whole ones.
func duration(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	}
	return seconds(d)
}

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
