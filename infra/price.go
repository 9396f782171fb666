package infra

import (
	"fargate-nginx-sidecar/infra/cost"
	"fargate-nginx-sidecar/infra/network"
	"fargate-nginx-sidecar/infra/observability"
	"fargate-nginx-sidecar/infra/schedule"
	"fargate-nginx-sidecar/infra/task"
	"fargate-nginx-sidecar/infra/waf"
)

// Priced counts the parts of a stack with these settings that cost money even without traffic. A test compares the counts
// with what Deploy declares. Gateways and endpoints of an existing VPC are not counted: they do not belong to the stack.
func Priced(s *Settings) cost.Stack {
	stack := cost.Stack{
		Region: s.Region,
		Tasks:  s.Service.Scaling.Min, CPU: s.Task.CPU, Memory: s.Task.Memory,
		Disk: max(0, s.Task.EphemeralStorageGiB-task.DefaultStorageGiB), ARM: s.Task.Architecture == task.ARM,
		PublicTasks: s.Network.PublicTasks(),
	}
	way := s.Ingress.Traits()
	stack.LoadBalancers, stack.PrivateZones = way.LoadBalancers, way.PrivateZones
	if way.LoadBalancers > 0 {
		stack.Zones = network.Zones
	}

	switch {
	case s.Network.Mode == network.Existing && way.LoadBalancers > 0:
		stack.Zones = len(s.Network.PublicSubnetIDs)
	case s.Network.EndpointsOnly():
		stack.Endpoints = network.Zones * len(s.Task.AWSServices())
	case s.Network.Mode == network.Large && s.Network.Egress == network.NATPerZone:
		stack.NATGateways = network.Zones
	case s.Network.Mode == network.Large && s.Network.Egress == network.NATSingle:
		stack.NATGateways = 1
	}

	if s.Ingress.Internal {
		stack.Zones = 0 // without public addresses
	}

	if s.WAF.Mode == waf.Managed {
		stack.WebACLs, stack.WebACLRules = 1, 1+len(waf.ManagedRules)
	}
	if s.Observability.Alarms {
		stack.AlarmMetrics = s.Ingress.AlarmMetrics() + observability.AlarmMetrics()
	}
	if s.Observability.Alarms && len(s.Schedule.Tasks) > 0 {
		stack.AlarmMetrics += schedule.AlarmMetrics
	}
	if s.Observability.LogMetrics {
		stack.CustomMetrics = observability.LogMetrics()
	}
	if s.Observability.Dashboard {
		stack.Dashboards = 1
	}

	return stack
}
