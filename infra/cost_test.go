package infra_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/cost"
	"fargate-nginx-sidecar/infra/infratest"
)

// counted returns what the estimate of a stack counts.
func counted(t *testing.T, settings map[string]string) cost.Stack {
	t.Helper()

	var stack cost.Stack
	_, err := infratest.Run(func(ctx *pulumi.Context) error {
		cfg, err := infra.Read(ctx)
		if err != nil {
			return err
		}
		stack = infra.Priced(cfg)
		return nil
	}, options(settings))
	if err != nil {
		t.Fatal(err)
	}

	return stack
}

// The estimate is made from settings, but the bill is for what the program declares.
func TestTheEstimateCountsWhatTheProgramDeclares(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		got := counted(t, settings)
		want := cost.Stack{
			Region:     got.Region, // in no resource
			Dashboards: len(graph.OfType(dashboard)), CustomMetrics: len(graph.OfType(logMetricFilter)),
			WebACLs:     len(graph.OfType(webACL)),
			PublicTasks: at(t, one(t, graph, ecsService), "networkConfiguration", "assignPublicIp").(bool),
		}
		for _, balancer := range graph.OfType(loadBalancer) {
			want.LoadBalancers, want.Zones = 1, len(at(t, balancer, "subnets").([]any))
		}
		want.PrivateZones = len(graph.OfType(namespace))
		for _, alarm := range graph.OfType(metricAlarm) {
			want.AlarmMetrics += len(read(t, alarm))
		}
		for _, acl := range graph.OfType(webACL) {
			want.WebACLRules += len(at(t, acl, "rules").([]any))
		}
		for _, endpoint := range graph.OfType("aws:ec2/vpcEndpoint:VpcEndpoint") {
			if subnets, ok := at(t, endpoint, "subnetIds").([]any); ok {
				want.Endpoints += len(subnets)
			}
		}
		for _, r := range graph.OfType(vpc) {
			want.NATGateways = map[any]int{"None": 0, "Single": 1, "OnePerAz": 2}[at(t, r, "natGateways", "strategy")]
		}
		definition := serviceDefinition(t, graph)
		want.ARM = at(t, definition, "runtimePlatform", "cpuArchitecture") == "ARM64"
		if disk, larger := at(t, definition, "ephemeralStorage", "sizeInGib").(float64); larger {
			want.Disk = int(disk) - 20
		}
		want.Tasks = got.Tasks // Compared below, because scaling may decide the number.
		if _, err := fmt.Sscan(at(t, definition, "cpu").(string)+" "+at(t, definition, "memory").(string), &want.CPU, &want.Memory); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("counted: %+v\ngraph:   %+v", got, want)
		}

		tasks := at(t, one(t, graph, ecsService), "desiredCount")
		if scaled := graph.OfType("aws:appautoscaling/target:Target"); len(scaled) == 1 {
			tasks = at(t, scaled[0], "minCapacity")
		}
		if float64(got.Tasks) != tasks {
			t.Errorf("%d tasks are counted; %v always run", got.Tasks, tasks)
		}
	})
}

func TestTheEstimateIsAnOutput(t *testing.T) {
	settings := defaults(t, nil)
	if got, want := outputs(t, settings)["monthlyEstimate"], cost.Sentence(counted(t, settings)); got != want {
		t.Errorf("monthlyEstimate: %s\nwant: %s", got, want)
	}
}

func TestCostDocumentHoldsPricesAndEstimates(t *testing.T) {
	var table strings.Builder
	table.WriteString("\nUS dollars a month, list prices of the stack files' own region.\n")
	for _, stack := range []string{"dev", "staging", "prod"} {
		priced := counted(t, stackSettings(t, stack, nil))
		lines := cost.Estimate(priced)
		fmt.Fprintf(&table, "\n**%s: about %.0f USD** (%s), and %.4f for each hour that a command runs\n\n| What | Quantity | Price | USD a month |\n|---|---|---|---|\n",
			stack, cost.Total(lines), cost.AsOf(priced.Region), cost.TaskHour(priced))
		for _, line := range lines {
			fmt.Fprintf(&table, "| %s | %g | %g an %s | %.2f |\n", line.What, line.Quantity, line.Price.USD, line.Price.Per, line.USD)
		}
	}
	fmt.Fprintf(&table, "\n### Prices\n\n| Item | USD, %s | USD, %s | per | Source |\n|---|---|---|---|---|\n", cost.AsOf(cost.Virginia), cost.AsOf(cost.Frankfurt))
	for _, price := range cost.Prices() {
		there := "–"
		if price.KnownIn(cost.Frankfurt) {
			there = fmt.Sprint(price.In(cost.Frankfurt).USD)
		}
		fmt.Fprintf(&table, "| %s | %g | %s | %s | [aws.amazon.com](%s) |\n", price.Name, price.USD, there, price.Per, price.Source)
	}

	between(t, "docs/cost.md", "<!-- cost:begin -->", "<!-- cost:end -->", strings.ReplaceAll(table.String(), "an month", "a month")+"\n")
}

// The document's figures about the ways in are those of the price table.
func TestTheWaysInAreComparedByTheirPrices(t *testing.T) {
	text, err := readFile(t, "docs/ways-in.md")
	if err != nil {
		t.Fatal(err)
	}
	document := strings.Join(strings.Fields(string(text)), " ")
	total := func(changes map[string]string) float64 {
		priced := counted(t, stackSettings(t, "dev", changes))
		priced.Region = cost.Virginia // of Frankfurt, the table lacks the price of requests
		return cost.Total(cost.Estimate(priced))
	}
	own, api, shared := total(nil), total(behindAPI), total(with(behindAnother, map[string]string{"network.privateSubnets": "[]"}))
	millions := (own - api) / cost.APIRequests.USD
	for _, want := range []string{
		fmt.Sprintf("load balancer and an address in each zone: %.2f US dollars a month", own-shared),
		fmt.Sprintf("a private hosted zone: %.2f", api-shared),
		fmt.Sprintf("%.2f US dollar for a million requests", cost.APIRequests.USD),
		fmt.Sprintf("an API is %.2f US dollars a month cheaper", own-api),
		fmt.Sprintf("%.0f million requests a month, %.1f a second", millions, millions*1e6/(cost.HoursPerMonth*3600)),
	} {
		if !strings.Contains(document, want) {
			t.Errorf("docs/ways-in.md does not say %q", want)
		}
	}
}
