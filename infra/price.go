package infra

import (
	"fargate-nginx-sidecar/infra/config"
	"fargate-nginx-sidecar/infra/cost"
	"fargate-nginx-sidecar/infra/waf"
)

// zones is the number of availability zones of a network that is made.
const zones = 2

// Priced counts what a stack with these settings pays for by being there. A test compares it with what Deploy declares.
// Of a VPC that exists, gateways and endpoints are not this stack's.
func Priced(cfg *config.Config) cost.Stack {
	stack := cost.Stack{
		Tasks: cfg.Service.DesiredCount, CPU: cfg.Task.CPU, Memory: cfg.Task.Memory,
		ARM:         cfg.Task.Architecture == "ARM64",
		PublicTasks: cfg.Network.Mode == "low-cost",
		Zones:       zones,
	}
	if cfg.Scaling.On {
		stack.Tasks = cfg.Scaling.Min
	}

	switch cfg.Network.Mode {
	case "existing":
		stack.Zones = len(cfg.Network.PublicSubnetIDs)
		stack.PublicTasks = len(cfg.Network.PrivateSubnetIDs) == 0
	case "large":
		switch cfg.Network.Egress {
		case "nat-per-az":
			stack.NATGateways = zones
		case "nat-single":
			stack.NATGateways = 1
		case "endpoints":
			stack.Endpoints = zones * len(services(cfg))
		case "public":
			stack.PublicTasks = true
		}
	}

	if cfg.Edge.WAF == "managed" {
		stack.WebACLs, stack.WebACLRules = 1, 1+len(waf.ManagedRules)
	}
	if cfg.Operations.Alarms {
		// Seven alarms, of which those on shares and differences read two metrics.
		stack.AlarmMetrics = 10
	}
	if cfg.Operations.LogMetrics {
		stack.CustomMetrics = 2
	}
	if cfg.Operations.Dashboard {
		stack.Dashboards = 1
	}

	return stack
}
