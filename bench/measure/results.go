package measure

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"fargate-nginx-sidecar/bench/contract"
	"fargate-nginx-sidecar/bench/load"
)

// Results is everything that a run measured, round by round.
type Results struct {
	Started   time.Time
	Machine   string
	Busy      [2]string // load average at the start and at the end
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
		if t.Opponent == opponent && !t.TLS && (found.Name == "" || t.Socket == r.Socket) {
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

// Save writes the results, so that a report can be made again without measuring.
func (r *Results) Save(path string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("results: %w", err)
	}
	return os.WriteFile(path, text, 0o644)
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
