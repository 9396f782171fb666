package measure

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"fargate-nginx-sidecar/bench/contract"
	"fargate-nginx-sidecar/bench/load"
)

// Results is everything that a run measured, round by round.
type Results struct {
	Started   time.Time
	Machine   string
	Busy      [2]string   // load average at the start and at the end
	Continued []time.Time `json:",omitempty"` // when the run went on after an interruption
	Rounds    int
	Window    time.Duration
	Most      int  // connections of the row with the most
	Socket    bool // rows that measure one way alone have the application on a Unix socket
	Targets   []Target
	Contracts map[string]contract.Report // by opponent
	Missing   []string                   // what could not take part, and why
	Pace      []float64                  // requests a second at the fixed rates
	Cells     []Cell
}

// Target is one proxy with its way to the application.
type Target struct {
	Name     string // tells it from all others
	Opponent string
	Version  string
	Socket   bool
	TLS      bool
	Cache    bool `json:",omitempty"`
	Static   bool `json:",omitempty"`
}

// Cell is all rounds of one row and target.
type Cell struct {
	Row, Target string
	BothCPUs    bool // instead of task and load on one each
	Rounds      []Measurement
	Logged      Logged
}

// Measurement is one round of a cell.
type Measurement struct {
	Rate        float64 // answers a second
	ProxyCPU    float64 // µs for an answer
	AppCPU      float64 // µs for an answer
	TaskBusy    float64 // part of one CPU that proxy and application used together
	P50, P99    float64 // ms
	P999        float64 // ms
	Bytes       float64 // of an answer, with its headers
	Memory      float64 // of the proxy, MiB, at its highest
	Lost        load.Lost
	Cipher      string  `json:",omitempty"`
	RefusedRate float64 `json:",omitempty"` // of the flood's bad requests
}

// OfAnswers is a figure that is about answers: there is none in a round without
// any.
func (m Measurement) OfAnswers(figure float64) float64 {
	if m.Rate == 0 {
		return math.NaN()
	}
	return figure
}

// Logged is what became of the proxy's log lines over all rounds.
type Logged struct {
	Wanted, Written int
}

// Lost is how many lines are missing.
func (l Logged) Lost() int { return max(l.Wanted-l.Written, 0) }

// Target finds the one by which an opponent is judged where a row measures one
// way alone; its name is empty when the opponent is not there.
func (r *Results) Target(opponent string) Target {
	var found Target
	for _, t := range r.Targets {
		if t.Opponent == opponent && !t.TLS && !t.Cache && !t.Static && (found.Name == "" || t.Socket == r.Socket) {
			found = t
		}
	}
	return found
}

// Cell finds one; nil when it was not measured.
func (r *Results) Cell(row, target string, bothCPUs bool) *Cell {
	for i := range r.Cells {
		if c := &r.Cells[i]; c.Row == row && c.Target == target && c.BothCPUs == bothCPUs {
			return c
		}
	}
	return nil
}

func (r *Results) cell(row, target string, bothCPUs bool) *Cell {
	if c := r.Cell(row, target, bothCPUs); c != nil {
		return c
	}
	r.Cells = append(r.Cells, Cell{Row: row, Target: target, BothCPUs: bothCPUs})
	return &r.Cells[len(r.Cells)-1]
}

// Values are one figure of all rounds of a cell.
func (c *Cell) Values(figure func(Measurement) float64) []float64 {
	if c == nil {
		return nil
	}
	values := make([]float64, 0, len(c.Rounds))
	for _, m := range c.Rounds {
		values = append(values, figure(m))
	}
	return values
}

// Lost is how many requests were lost over all rounds.
func (c *Cell) Lost() int {
	total := 0
	if c != nil {
		for _, m := range c.Rounds {
			total += m.Lost.Total()
		}
	}
	return total
}

// Save writes the results, so that a report can be made again without measuring,
// and an interrupted run can be continued.
func (r *Results) Save(path string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("results: %w", err)
	}
	// An interruption leaves the old file or the new one.
	if err := os.WriteFile(path+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Read reads what Save wrote.
func Read(path string) (*Results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Results
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("results: %s: %w", path, err)
	}
	return &r, nil
}

// Continues takes over what an interrupted run has measured, if it was a run of
// the same kind. The results have their contracts and targets already. Targets may
// have been added since: their rows are still to be measured.
func (r *Results) Continues(earlier *Results) error {
	if earlier.Rounds != r.Rounds || earlier.Window != r.Window || earlier.Socket != r.Socket || earlier.Most != r.Most {
		return fmt.Errorf("results to continue: got %d rounds of %v, socket %v, %d connections at most; needed: %d, %v, %v, %d",
			earlier.Rounds, earlier.Window, earlier.Socket, earlier.Most, r.Rounds, r.Window, r.Socket, r.Most)
	}
	missing := slices.ContainsFunc(earlier.Targets, func(t Target) bool { return !slices.Contains(r.Targets, t) })
	if missing || earlier.Machine != r.Machine {
		return errors.New("results to continue: they are of other proxies, other versions of them or another machine")
	}
	r.Continued = append(slices.Clone(earlier.Continued), r.Started)
	r.Started, r.Busy[0], r.Pace, r.Cells = earlier.Started, earlier.Busy[0], earlier.Pace, earlier.Cells
	return nil
}

// done reports whether a row was measured whole.
func (r *Results) done(row, target string, bothCPUs bool) bool {
	c := r.Cell(row, target, bothCPUs)
	return c != nil && len(c.Rounds) == r.Rounds
}
