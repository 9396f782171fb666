// Package cost estimates the monthly cost of the fixed part of a stack, which is paid even without any traffic. The
// stack's output and docs/cost.md show the estimate. The package knows nothing about resources: it multiplies counts by
// a small table of list prices.
package cost

import "fmt"

// The table has the list prices of two regions at one time each. Elsewhere, and later, they differ.
const (
	Virginia  = "us-east-1"
	Frankfurt = "eu-central-1"
)

var dates = map[string]string{Virginia: "March 2026", Frankfurt: "September 2026"}

// AsOf says of when and where the prices are that count for a region, for people to read: its own if the table has them, else
// those of Virginia.
func AsOf(region string) string {
	if _, known := dates[region]; !known {
		region = Virginia
	}

	return fmt.Sprintf("%s in %s", dates[region], region)
}

// HoursPerMonth is the number of hours that AWS's own price pages count for a month.
const HoursPerMonth = 730

// Price is a list price in US dollars.
type Price struct {
	// USD is the price in Virginia, and inFrankfurt that in Frankfurt, or 0 if it is not known here: then Virginia's counts.
	USD, inFrankfurt float64
	Per              string
	Source           string
}

// KnownIn says whether the table has the price in a region.
func (p Price) KnownIn(region string) bool {
	return region == Virginia || region == Frankfurt && p.inFrankfurt != 0
}

// In is the price in a region.
func (p Price) In(region string) Price {
	if region != Virginia && p.KnownIn(region) {
		p.USD = p.inFrankfurt
	}

	return p
}

const (
	hour  = "hour"
	month = "month"
)

// The prices, in the order in which they are shown. AWS also publishes them as files, for Fargate in Frankfurt for example at
// https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonECS/current/eu-central-1/index.json
var (
	VCPU = Price{0.04048, 0.04656, hour, "https://aws.amazon.com/fargate/pricing/"}
	GB   = Price{0.004445, 0.00511, hour, "https://aws.amazon.com/fargate/pricing/"}
	// On ARM64 both are a fifth lower.
	VCPUOnARM     = Price{0.03238, 0.03725, hour, "https://aws.amazon.com/fargate/pricing/"}
	GBOnARM       = Price{0.00356, 0.00409, hour, "https://aws.amazon.com/fargate/pricing/"}
	Disk          = Price{0.000111, 0, hour, "https://aws.amazon.com/fargate/pricing/"}
	LoadBalancer  = Price{0.0225, 0.027, hour, "https://aws.amazon.com/elasticloadbalancing/pricing/"}
	NATGateway    = Price{0.045, 0.052, hour, "https://aws.amazon.com/vpc/pricing/"}
	PublicAddress = Price{0.005, 0.005, hour, "https://aws.amazon.com/vpc/pricing/"}
	Endpoint      = Price{0.01, 0.012, hour, "https://aws.amazon.com/privatelink/pricing/"}
	AlarmMetric   = Price{0.10, 0.10, month, "https://aws.amazon.com/cloudwatch/pricing/"}
	CustomMetric  = Price{0.30, 0.30, month, "https://aws.amazon.com/cloudwatch/pricing/"}
	Dashboard     = Price{3.00, 3.00, month, "https://aws.amazon.com/cloudwatch/pricing/"}
	PrivateZone   = Price{0.50, 0.50, month, "https://aws.amazon.com/route53/pricing/"}
	// APIRequests is for the first 300 million requests to an HTTP API in a month, each of at most 512 KiB.
	APIRequests = Price{1.00, 0, "million requests", "https://aws.amazon.com/api-gateway/pricing/"}
	// A file system costs for what lies in it, and, with elastic throughput, for what is read and written.
	FileStorage = Price{0.30, 0, month, "https://aws.amazon.com/efs/pricing/"}
	FileReads   = Price{0.03, 0, "GB", "https://aws.amazon.com/efs/pricing/"}
	FileWrites  = Price{0.06, 0, "GB", "https://aws.amazon.com/efs/pricing/"}
	WebACL      = Price{5.00, 5.00, month, "https://aws.amazon.com/waf/pricing/"}
	WebACLRule  = Price{1.00, 1.00, month, "https://aws.amazon.com/waf/pricing/"}
)

func (p Price) monthly() float64 {
	if p.Per == hour {
		return p.USD * HoursPerMonth
	}

	return p.USD
}

// Prices lists the prices with the names under which people see them.
func Prices() []struct {
	Name string
	Price
} {
	return []struct {
		Name string
		Price
	}{
		{"vCPU of a task, X86_64", VCPU},
		{"GB of memory of a task, X86_64", GB},
		{"vCPU of a task, ARM64", VCPUOnARM},
		{"GB of memory of a task, ARM64", GBOnARM},
		{"GB of a task's disk above 20 GB", Disk},
		{"Application Load Balancer", LoadBalancer},
		{"NAT gateway", NATGateway},
		{"Public IPv4 address", PublicAddress},
		{"Interface endpoint, in each zone", Endpoint},
		{"Metric that an alarm reads", AlarmMetric},
		{"Custom metric", CustomMetric},
		{"Dashboard", Dashboard},
		{"Private hosted zone", PrivateZone},
		{"Requests to an HTTP API", APIRequests},
		{"GB in an EFS file system, standard storage", FileStorage},
		{"Reading from it, elastic throughput", FileReads},
		{"Writing to it, elastic throughput", FileWrites},
		{"Web ACL", WebACL},
		{"Rule of a web ACL", WebACLRule},
	}
}

// Stack counts the parts of a stack that cost money even without traffic.
type Stack struct {
	// Region is where the stack is.
	Region string
	// Tasks is the number of tasks that always run. CPU is in CPU units, 1024 to a vCPU; Memory in MiB.
	Tasks, CPU, Memory int
	ARM                bool
	// Disk is a task's own disk in GiB, as far as it costs anything.
	Disk int
	// PublicTasks says that each task has a public address.
	PublicTasks bool
	// LoadBalancers is their number, and Zones that of their zones, in each of which there is a public address.
	LoadBalancers, Zones int
	// NATGateways is their number. Each has a public address.
	NATGateways int
	// Endpoints is the number of interface endpoints, each counted once per zone.
	Endpoints int

	AlarmMetrics, CustomMetrics, Dashboards int
	// PrivateZones are those in which an API finds the tasks.
	PrivateZones         int
	WebACLs, WebACLRules int
}

// Line is one item of an estimate. USD is for a month.
type Line struct {
	What     string
	Quantity float64
	Price    Price
	USD      float64
}

// Estimate lists the items of a stack that cost money. Tasks on Fargate Spot are counted at the on-demand price, because
// the Spot price changes and Spot capacity may be missing.
func Estimate(s Stack) []Line {
	vCPU, gb := s.taskPrices()
	addresses := s.Zones + s.NATGateways
	if s.PublicTasks {
		addresses += s.Tasks
	}

	var lines []Line
	add := func(what string, quantity float64, price Price) {
		if price = price.In(s.Region); quantity > 0 {
			lines = append(lines, Line{what, quantity, price, quantity * price.monthly()})
		}
	}
	add("vCPU of the tasks", float64(s.Tasks*s.CPU)/1024, vCPU)
	add("GB of memory of the tasks", float64(s.Tasks*s.Memory)/1024, gb)
	add("GB of the tasks' disks above 20 GB", float64(s.Tasks*s.Disk), Disk)
	add("load balancer", float64(s.LoadBalancers), LoadBalancer)
	add("NAT gateways", float64(s.NATGateways), NATGateway)
	add("public IPv4 addresses", float64(addresses), PublicAddress)
	add("interface endpoints, counted in each zone", float64(s.Endpoints), Endpoint)
	add("metrics that alarms read", float64(s.AlarmMetrics), AlarmMetric)
	add("custom metrics", float64(s.CustomMetrics), CustomMetric)
	add("dashboards", float64(s.Dashboards), Dashboard)
	add("private hosted zones", float64(s.PrivateZones), PrivateZone)
	add("web ACLs", float64(s.WebACLs), WebACL)
	add("rules of web ACLs", float64(s.WebACLRules), WebACLRule)

	return lines
}

func (s Stack) taskPrices() (vCPU, gb Price) {
	if s.ARM {
		return VCPUOnARM.In(s.Region), GBOnARM.In(s.Region)
	}

	return VCPU.In(s.Region), GB.In(s.Region)
}

// TaskHour is what one more task costs for an hour, in US dollars: that of a command, for example.
func TaskHour(s Stack) float64 {
	vCPU, gb := s.taskPrices()
	sum := float64(s.CPU)/1024*vCPU.USD + float64(s.Memory)/1024*gb.USD + float64(s.Disk)*Disk.In(s.Region).USD
	if s.PublicTasks {
		sum += PublicAddress.In(s.Region).USD
	}

	return sum
}

// Total is the sum of an estimate, in US dollars a month.
func Total(lines []Line) float64 {
	var sum float64
	for _, line := range lines {
		sum += line.USD
	}

	return sum
}

// Sentence states the estimate of a stack in one line, and says what it leaves out.
func Sentence(s Stack) string {
	return fmt.Sprintf("about %.0f USD a month at list prices of %s, without traffic, data and logs; "+
		"an estimate, not a bill: see docs/cost.md", Total(Estimate(s)), AsOf(s.Region))
}
