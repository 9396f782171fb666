package cost_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra/cost"
)

// Calculated by hand: 730 hours; 2 tasks of half a vCPU and 1 GB, each with a public address; a load balancer in two zones.
func TestEstimateOfASmallStackEqualsACalculationByHand(t *testing.T) {
	lines := cost.Estimate(cost.Stack{Tasks: 2, CPU: 512, Memory: 1024, PublicTasks: true, LoadBalancers: 1, Zones: 2})
	want := 730 * (1*0.04048 + 2*0.004445 + 0.0225 + 4*0.005)
	if got := cost.Total(lines); math.Abs(got-want) > 1e-9 {
		t.Errorf("%.2f USD; want %.2f", got, want)
	}
	if len(lines) != 4 {
		t.Errorf("%d lines; want 4, because the stack has nothing else that costs money", len(lines))
	}
}

func TestEveryCountAddsItsPrice(t *testing.T) {
	base := cost.Stack{Tasks: 1, CPU: 1024, Memory: 1024, LoadBalancers: 1, Zones: 2}
	before := cost.Total(cost.Estimate(base))
	for name, test := range map[string]struct {
		change func(*cost.Stack)
		want   float64
	}{
		"a task":              {func(s *cost.Stack) { s.Tasks++ }, 730 * (0.04048 + 0.004445)},
		"ARM":                 {func(s *cost.Stack) { s.ARM = true }, 730 * (0.03238 - 0.04048 + 0.00356 - 0.004445)},
		"a larger disk":       {func(s *cost.Stack) { s.Disk = 30 }, 730 * 30 * 0.000111},
		"a NAT gateway":       {func(s *cost.Stack) { s.NATGateways++ }, 730 * (0.045 + 0.005)},
		"public tasks":        {func(s *cost.Stack) { s.PublicTasks = true }, 730 * 0.005},
		"a zone":              {func(s *cost.Stack) { s.Zones++ }, 730 * 0.005},
		"an endpoint":         {func(s *cost.Stack) { s.Endpoints++ }, 730 * 0.01},
		"an alarm's metric":   {func(s *cost.Stack) { s.AlarmMetrics++ }, 0.10},
		"a custom metric":     {func(s *cost.Stack) { s.CustomMetrics++ }, 0.30},
		"a dashboard":         {func(s *cost.Stack) { s.Dashboards++ }, 3},
		"a private zone":      {func(s *cost.Stack) { s.PrivateZones++ }, 0.50},
		"a web ACL":           {func(s *cost.Stack) { s.WebACLs++ }, 5},
		"a rule of a web ACL": {func(s *cost.Stack) { s.WebACLRules++ }, 1},
	} {
		changed := base
		test.change(&changed)
		if got := cost.Total(cost.Estimate(changed)) - before; math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s adds %.4f USD; want %.4f", name, got, test.want)
		}
	}
}

// Calculated by hand: half a vCPU, 1 GB, 10 GB of disk and a public address, for an hour.
func TestACommandCostsAsMuchAsATaskForAsLongAsItRuns(t *testing.T) {
	stack := cost.Stack{Tasks: 7, CPU: 512, Memory: 1024, Disk: 10, PublicTasks: true}
	if got, want := cost.TaskHour(stack), 0.5*0.04048+0.004445+10*0.000111+0.005; math.Abs(got-want) > 1e-9 {
		t.Errorf("%.5f USD; want %.5f", got, want)
	}
	one, two := stack, stack
	two.Tasks++
	month := cost.Total(cost.Estimate(two)) - cost.Total(cost.Estimate(one))
	if got := cost.TaskHour(stack) * cost.HoursPerMonth; math.Abs(got-month) > 1e-9 {
		t.Errorf("%.4f USD for a month of hours; one more task costs %.4f", got, month)
	}
}

func TestSentenceNamesRegionDateAndWhatIsLeftOut(t *testing.T) {
	const rest = ", without traffic, data and logs; an estimate, not a bill: see docs/cost.md"
	for region, want := range map[string]string{
		"us-east-1":    "about 57 USD a month at list prices of March 2026 in us-east-1",
		"eu-central-1": "about 65 USD a month at list prices of September 2026 in eu-central-1",
		"eu-north-1":   "about 57 USD a month at list prices of March 2026 in us-east-1", // of which the table has no prices
	} {
		if got := cost.Sentence(cost.Stack{Region: region, Tasks: 1, CPU: 1024, Memory: 1024, LoadBalancers: 1, Zones: 2}); got != want+rest {
			t.Errorf("%s\nwant: %s", got, want+rest)
		}
	}
}

func TestEveryPriceHasItsSource(t *testing.T) {
	for _, price := range cost.Prices() {
		if price.USD <= 0 || !strings.HasPrefix(price.Source, "https://aws.amazon.com/") || !slices.Contains([]string{"hour", "month", "GB", "million requests"}, price.Per) {
			t.Errorf("%+v", price)
		}
	}
}
