package config

import (
	"fmt"
	"slices"
	"strings"
)

// contradictions finds settings that are fine alone and wrong together. Each message names all keys it is about.
func (r *reader) contradictions(cfg *Config) {
	r.taskContradictions(cfg)
	r.deploymentContradictions(cfg.Service, cfg.Scaling)
	r.scalingContradictions(cfg)
	r.appContradictions(cfg)
	r.sidecarContradictions(cfg)
	r.rightsContradictions(cfg)
	r.edgeContradictions(cfg)
	r.networkContradictions(cfg.Network)
	r.operationsContradictions(cfg)
}

func (r *reader) taskContradictions(cfg *Config) {
	task, balancer := cfg.Task, cfg.LoadBalancer

	if task.ContainerPort == task.AppPort {
		r.contradiction([]string{"containerPort", "appPort"},
			fmt.Sprintf("both %d; the containers of a task share one network interface", task.AppPort))
	}
	if task.StopTimeout < balancer.DeregistrationDelay {
		r.contradiction([]string{"stopTimeoutSeconds", "deregistrationDelaySeconds"},
			fmt.Sprintf("%g is less than %g; a task would be killed while requests may still finish",
				task.StopTimeout.Seconds(), balancer.DeregistrationDelay.Seconds()))
	}
	if task.Health.Timeout > task.Health.Interval {
		r.contradiction([]string{"containerHealthTimeoutSeconds", "containerHealthIntervalSeconds"},
			fmt.Sprintf("%g is more than %g; checks would overlap", task.Health.Timeout.Seconds(), task.Health.Interval.Seconds()))
	}
	if balancer.HealthCheckTimeout >= balancer.HealthCheckInterval {
		r.contradiction([]string{"healthCheckTimeoutSeconds", "healthCheckIntervalSeconds"},
			fmt.Sprintf("%g is not less than %g", balancer.HealthCheckTimeout.Seconds(), balancer.HealthCheckInterval.Seconds()))
	}
	// A full buffer is taken from the task's memory, once for each of the two containers.
	if 2*2*task.LogBufferMegabytes > task.Memory {
		r.contradiction([]string{"logBufferMegabytes", "memory"},
			fmt.Sprintf("two buffers of %d MB need more than half of %d MiB", task.LogBufferMegabytes, task.Memory))
	}
	if !r.wrong["taskEgressPorts"] && !slices.Contains(task.EgressPorts, 443) {
		r.fail("taskEgressPorts", strings.ReplaceAll(fmt.Sprint(task.EgressPorts), " ", ", "),
			"a list with 443 in it; the tasks pull images and write logs through that port")
	}
}

// deploymentContradictions refuses limits between which ECS can neither start a task more nor stop one, so that no
// deployment ever begins. ECS rounds the upper limit down and the lower one up.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
func (r *reader) deploymentContradictions(service Service, scaling Scaling) {
	r.stuckDeployment(service, service.DesiredCount, "desiredCount")
	// What load makes of the number of tasks must not block a deployment either. More tasks only leave more room, so
	// the fewest is the one to look at; the desired count has been.
	if scaling.On && scaling.Min < service.DesiredCount {
		r.stuckDeployment(service, scaling.Min, "minCount")
	}
}

func (r *reader) stuckDeployment(service Service, tasks int, key string) {
	most := tasks * service.MaximumPercent / 100
	fewest := (tasks*service.MinimumHealthyPercent + 99) / 100

	if most <= tasks && fewest >= tasks {
		r.contradiction([]string{"deploymentMaximumPercent", "deploymentMinimumHealthyPercent", key},
			fmt.Sprintf("at most %d and at least %d of %d tasks; a deployment could neither start nor stop one",
				most, fewest, tasks))
	}
}

func (r *reader) networkContradictions(network Network) {
	if network.Mode != "existing" {
		r.onlyWithExisting("vpcId", network.VPCID != "", network.Mode)
		r.onlyWithExisting("publicSubnetIds", len(network.PublicSubnetIDs) > 0, network.Mode)
		r.onlyWithExisting("privateSubnetIds", len(network.PrivateSubnetIDs) > 0, network.Mode)
		return
	}

	if network.VPCID == "" {
		r.contradiction([]string{"network", "vpcId"}, "network is existing, but vpcId is empty; allowed: vpc-…")
	}
	if len(network.PublicSubnetIDs) < 2 {
		r.contradiction([]string{"network", "publicSubnetIds"},
			fmt.Sprintf("network is existing, but there are %d public subnets; allowed: two or more, each in another zone",
				len(network.PublicSubnetIDs)))
	}
	for _, id := range network.PrivateSubnetIDs {
		if slices.Contains(network.PublicSubnetIDs, id) {
			r.contradiction([]string{"publicSubnetIds", "privateSubnetIds"}, id+" is in both")
		}
	}
}

func (r *reader) onlyWithExisting(key string, given bool, mode string) {
	if given {
		r.contradiction([]string{key, "network"}, fmt.Sprintf("given, but network is %s; allowed with: existing", mode))
	}
}
