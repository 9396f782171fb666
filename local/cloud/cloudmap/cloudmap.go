// Package cloudmap keeps the instances of AWS Cloud Map services: ECS registers tasks in it, and an HTTP API asks it where
// they are.
//
// Services and instances lie in the emulator, where everybody sees them. Beside each instance stands the local address
// that reaches it, because an address in the VPC is only a name here.
package cloudmap

import (
	"context"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strconv"
	"sync"

	"fargate-nginx-sidecar/local/cloud/emulator"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery/types"
)

// Instance is one instance of a service.
type Instance struct {
	ID         string            // of the task
	IP         string            // in the VPC
	Port       int               // of the container
	Address    string            // local, host:port
	Attributes map[string]string // beside address and port
	Healthy    bool
}

// Map is every Cloud Map service of a run.
type Map struct {
	client *servicediscovery.Client
	log    *slog.Logger

	mu       sync.Mutex
	services map[string]map[string]Instance // by service ARN and instance id
}

// New returns a map without instances, on the emulator at a URL.
func New(endpoint, region string, log *slog.Logger) *Map {
	return &Map{
		client:   servicediscovery.NewFromConfig(emulator.Config(endpoint, region)),
		log:      log,
		services: map[string]map[string]Instance{},
	}
}

// Register adds an instance to a service, with the attributes that make it discoverable by address and port.
// https://docs.aws.amazon.com/cloud-map/latest/api/API_RegisterInstance.html
func (m *Map) Register(ctx context.Context, serviceARN string, instance Instance) {
	attributes := maps.Clone(instance.Attributes)
	if attributes == nil {
		attributes = map[string]string{}
	}
	attributes["AWS_INSTANCE_IPV4"] = instance.IP
	attributes["AWS_INSTANCE_PORT"] = strconv.Itoa(instance.Port)
	attributes["AWS_INIT_HEALTH_STATUS"] = string(status(instance.Healthy))
	_, err := m.client.RegisterInstance(ctx, &servicediscovery.RegisterInstanceInput{
		ServiceId: id(serviceARN), InstanceId: &instance.ID, Attributes: attributes,
	})
	if err != nil {
		m.log.Warn("the emulator did not take an instance; requests reach it all the same", "instance", instance.ID, "error", err)
	}
	m.tell(ctx, serviceARN, instance) // the emulator takes every new instance for healthy
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.services[serviceARN] == nil {
		m.services[serviceARN] = map[string]Instance{}
	}
	m.services[serviceARN][instance.ID] = instance
}

// Deregister takes an instance out. No request is sent to it after that.
func (m *Map) Deregister(ctx context.Context, serviceARN, instanceID string) {
	m.mu.Lock()
	_, known := m.services[serviceARN][instanceID]
	delete(m.services[serviceARN], instanceID)
	m.mu.Unlock()
	if !known {
		return
	}
	_, err := m.client.DeregisterInstance(ctx, &servicediscovery.DeregisterInstanceInput{ServiceId: id(serviceARN), InstanceId: &instanceID})
	if err != nil {
		m.log.Warn("the emulator did not deregister an instance", "instance", instanceID, "error", err)
	}
}

// SetHealth changes an instance's health, by which Discover chooses, and returns whether it was another one. Publish
// follows.
func (m *Map) SetHealth(serviceARN, instanceID string, healthy bool) (changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	instance, known := m.services[serviceARN][instanceID]
	if !known || instance.Healthy == healthy {
		return false
	}
	instance.Healthy = healthy
	m.services[serviceARN][instanceID] = instance
	return true
}

// Publish makes an instance's health its custom health status in the emulator.
// https://docs.aws.amazon.com/cloud-map/latest/api/API_UpdateInstanceCustomHealthStatus.html
func (m *Map) Publish(ctx context.Context, serviceARN, instanceID string) {
	m.mu.Lock()
	instance, known := m.services[serviceARN][instanceID]
	m.mu.Unlock()
	if known {
		m.tell(ctx, serviceARN, instance)
	}
}

// tell gives the emulator an instance's health.
func (m *Map) tell(ctx context.Context, serviceARN string, instance Instance) {
	_, err := m.client.UpdateInstanceCustomHealthStatus(ctx, &servicediscovery.UpdateInstanceCustomHealthStatusInput{
		ServiceId: id(serviceARN), InstanceId: &instance.ID, Status: status(instance.Healthy),
	})
	if err != nil {
		m.log.Warn("the emulator did not take an instance's health", "instance", instance.ID, "error", err)
	}
}

// Discover returns the healthy instances of a service in the order of their ids, or all when none is healthy, which is what
// DiscoverInstances does where a caller does not say what it wants.
// https://docs.aws.amazon.com/cloud-map/latest/api/API_DiscoverInstances.html
func (m *Map) Discover(serviceARN string) []Instance {
	m.mu.Lock()
	defer m.mu.Unlock()
	var healthy, all []Instance
	for _, id := range slices.Sorted(maps.Keys(m.services[serviceARN])) {
		instance := m.services[serviceARN][id]
		if all = append(all, instance); instance.Healthy {
			healthy = append(healthy, instance)
		}
	}
	if len(healthy) > 0 {
		return healthy
	}
	return all
}

// id is the id in a service's ARN, …:service/srv-….
func id(serviceARN string) *string { return aws.String(path.Base(serviceARN)) }

func status(healthy bool) types.CustomHealthStatus {
	if healthy {
		return types.CustomHealthStatusHealthy
	}
	return types.CustomHealthStatusUnhealthy
}
