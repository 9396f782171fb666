package fargate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/strslice"
	"github.com/docker/go-connections/nat"
)

// Fargate's limits on a container's times, in seconds, and its default for open files.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
const (
	defaultStopTimeout  = 30
	maximumStopTimeout  = 120
	defaultStartTimeout = 180
	defaultNofile       = 65535
)

// cpuUnits are CPU units per CPU.
const cpuUnits = 1024

// firstUnprivilegedPort keeps the kernel's own rule: Docker lets every user bind every port, Fargate does not
// promise to.
const firstUnprivilegedPort = "1024"

const mebibyte = 1 << 20

// Definition is a task definition.
type Definition struct{ types.TaskDefinition }

// ARN names one revision of a task definition.
func (d *Definition) ARN() string { return aws.ToString(d.TaskDefinitionArn) }

// check lists everything in a definition that Fargate refuses or that this stand-in does not support, so that a task
// never starts with a part of its definition silently missing.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
func (d *Definition) check() error {
	var wrong []error
	refuse := func(is bool, format string, args ...any) {
		if is {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	refuse(d.NetworkMode != types.NetworkModeAwsvpc, "network mode %q; allowed on Fargate: awsvpc", d.NetworkMode)
	refuse(d.PidMode != "" && d.PidMode != types.PidModeTask, "pid mode %q; allowed on Fargate: task", d.PidMode)
	refuse(d.PidMode == types.PidModeTask, "pid mode task: not supported by the local run")
	refuse(d.IpcMode != "", "ipc mode %q: not supported on Fargate", d.IpcMode)
	refuse(d.ProxyConfiguration != nil, "proxy configuration: not supported by the local run")
	for _, v := range d.Volumes {
		name := aws.ToString(v.Name)
		refuse(v.Host != nil && aws.ToString(v.Host.SourcePath) != "", "volume %s: host path: not supported on Fargate", name)
		refuse(v.DockerVolumeConfiguration != nil, "volume %s: docker volume configuration: not supported on Fargate", name)
		refuse(v.FsxWindowsFileServerVolumeConfiguration != nil || aws.ToBool(v.ConfiguredAtLaunch),
			"volume %s: the local run supports only a task's own scratch volume and EFS", name)
		if efs := v.EfsVolumeConfiguration; efs != nil {
			refuse(efs.AuthorizationConfig == nil || aws.ToString(efs.AuthorizationConfig.AccessPointId) == "",
				"volume %s: the local run supports EFS by access point only", name)
		}
	}
	for _, c := range d.ContainerDefinitions {
		wrong = append(wrong, checkContainer(c)...)
	}
	return errors.Join(wrong...)
}

func checkContainer(c types.ContainerDefinition) []error {
	var wrong []error
	refuse := func(is bool, format string, args ...any) {
		if is {
			wrong = append(wrong, fmt.Errorf("container %s: "+format, append([]any{aws.ToString(c.Name)}, args...)...))
		}
	}
	refuse(aws.ToBool(c.Privileged), "privileged: not supported on Fargate")
	refuse(len(c.Links) > 0 || len(c.ExtraHosts) > 0 || len(c.DnsServers) > 0 || len(c.DnsSearchDomains) > 0 || c.Hostname != nil || aws.ToBool(c.DisableNetworking),
		"links, extraHosts, dnsServers, dnsSearchDomains, hostname, disableNetworking: not supported with awsvpc on Fargate")
	refuse(len(c.DockerSecurityOptions) > 0, "dockerSecurityOptions: not supported on Fargate")
	refuse(aws.ToInt32(c.StopTimeout) > maximumStopTimeout, "stopTimeout: %d s; Fargate allows at most %d", aws.ToInt32(c.StopTimeout), maximumStopTimeout)
	refuse(len(c.EnvironmentFiles) > 0 || c.FirelensConfiguration != nil || len(c.ResourceRequirements) > 0 || len(c.VolumesFrom) > 0,
		"environmentFiles, firelensConfiguration, resourceRequirements, volumesFrom: not supported by the local run")
	if l := c.LogConfiguration; l != nil {
		refuse(l.LogDriver != types.LogDriverAwslogs, "log driver %q; supported by the local run: awslogs", l.LogDriver)
	}
	if p := c.LinuxParameters; p != nil {
		refuse(len(p.Tmpfs) > 0 || len(p.Devices) > 0 || p.SharedMemorySize != nil || p.MaxSwap != nil || p.Swappiness != nil,
			"tmpfs, devices, sharedMemorySize, maxSwap, swappiness: not supported on Fargate")
		if p.Capabilities != nil {
			for _, add := range p.Capabilities.Add {
				refuse(add != "SYS_PTRACE", "capability %s; Fargate allows to add only SYS_PTRACE", add)
			}
		}
	}
	for _, u := range c.Ulimits {
		refuse(u.Name != types.UlimitNameNofile, "ulimit %s; allowed on Fargate: nofile", u.Name)
	}
	return wrong
}

// withoutLogRouter leaves out the container with Fluent Bit (FireLens): its image can be had from the Internet alone, and
// it would send the lines there. The other containers write to the log group that the router has for its own log.
func (d *Definition) withoutLogRouter() *Definition {
	i := slices.IndexFunc(d.ContainerDefinitions, func(c types.ContainerDefinition) bool { return c.FirelensConfiguration != nil })
	if i < 0 {
		return d
	}
	router := d.ContainerDefinitions[i]
	left := *d
	left.ContainerDefinitions = slices.Delete(slices.Clone(d.ContainerDefinitions), i, i+1)
	for j := range left.ContainerDefinitions {
		c := &left.ContainerDefinitions[j]
		if c.LogConfiguration != nil && c.LogConfiguration.LogDriver == types.LogDriverAwsfirelens {
			c.LogConfiguration = router.LogConfiguration
		}
		c.DependsOn = slices.DeleteFunc(slices.Clone(c.DependsOn), func(on types.ContainerDependency) bool {
			return aws.ToString(on.ContainerName) == aws.ToString(router.Name)
		})
	}
	return &left
}

// overridden is a container definition with what a client of RunTask put in place of its parts.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerOverride.html
func overridden(c types.ContainerDefinition, overrides []types.ContainerOverride) types.ContainerDefinition {
	for _, o := range overrides {
		if aws.ToString(o.Name) != aws.ToString(c.Name) {
			continue
		}
		if len(o.Command) > 0 {
			c.Command = o.Command
		}
		// Of two variables with the same name, the later one counts.
		c.Environment = slices.Concat(c.Environment, o.Environment)
		if o.Cpu != nil {
			c.Cpu = *o.Cpu
		}
		c.Memory, c.MemoryReservation = cmp.Or(o.Memory, c.Memory), cmp.Or(o.MemoryReservation, c.MemoryReservation)
	}
	return c
}

// arch is the architecture a task runs on, in Go's words.
func (d *Definition) arch() string {
	if d.RuntimePlatform != nil && d.RuntimePlatform.CpuArchitecture == types.CPUArchitectureArm64 {
		return "arm64"
	}
	return "amd64"
}

// thisMachine is the name under which a task reaches what listens on the machine that the Docker engine runs on, such as a
// database. Docker Desktop has it for every container; Docker Engine gives it to those that ask for it.
// https://docs.docker.com/reference/cli/docker/container/run/#add-host
const thisMachine = "host.docker.internal"

// pauseConfig is the container that owns a task's network: it publishes every mapped port on a free loopback port.
func (d *Definition) pauseConfig(image, host, networkName string, labels map[string]string) (*container.Config, *container.HostConfig) {
	exposed, bindings := nat.PortSet{}, nat.PortMap{}
	sysctls := map[string]string{"net.ipv4.ip_unprivileged_port_start": firstUnprivilegedPort}
	for _, c := range d.ContainerDefinitions {
		for _, m := range c.PortMappings {
			port := portOf(m)
			exposed[port] = struct{}{}
			bindings[port] = []nat.PortBinding{{HostIP: "127.0.0.1"}}
		}
		for _, s := range c.SystemControls {
			sysctls[aws.ToString(s.Namespace)] = aws.ToString(s.Value)
		}
	}
	return &container.Config{Image: image, Hostname: host, ExposedPorts: exposed, Labels: labels, User: "65534:65534"},
		&container.HostConfig{
			NetworkMode:    container.NetworkMode(networkName),
			PortBindings:   bindings,
			ExtraHosts:     []string{thisMachine + ":host-gateway"},
			Sysctls:        sysctls,
			ReadonlyRootfs: true,
			CapDrop:        strslice.StrSlice{"ALL"},
			LogConfig:      container.LogConfig{Type: "none"},
		}
}

func portOf(m types.PortMapping) nat.Port {
	protocol := m.Protocol
	if protocol == "" {
		protocol = types.TransportProtocolTcp
	}
	return nat.Port(fmt.Sprintf("%d/%s", aws.ToInt32(m.ContainerPort), protocol))
}

// surroundings is what a container's configuration needs beyond its own definition.
type surroundings struct {
	pauseID  string
	volumes  map[string]string // task volume → Docker volume
	efs      map[string]string // the same for file systems
	declared map[string]struct{}
	labels   map[string]string
	secrets  map[string]string
	region   string

	// What the engine's machine has and allows.
	gateway    string
	cpus       float64
	setsNofile bool
}

// containerConfig turns a container definition into Docker's terms.
func (d *Definition) containerConfig(c types.ContainerDefinition, s surroundings) (*container.Config, *container.HostConfig, error) {
	mounts, err := mounts(c, s)
	if err != nil {
		return nil, nil, err
	}
	labels := map[string]string{}
	maps.Copy(labels, c.DockerLabels)
	maps.Copy(labels, s.labels)
	config := &container.Config{
		Image:      aws.ToString(c.Image),
		User:       aws.ToString(c.User),
		Env:        environment(c, s),
		WorkingDir: aws.ToString(c.WorkingDirectory),
		Entrypoint: c.EntryPoint,
		Cmd:        c.Command,
		Tty:        aws.ToBool(c.PseudoTerminal),
		OpenStdin:  aws.ToBool(c.Interactive),
		Labels:     labels,
		// ECS knows the health check of the task definition only, never the image's.
		Healthcheck:  &container.HealthConfig{Test: []string{"NONE"}},
		AttachStdout: true,
		AttachStderr: true,
	}
	limits, err := d.limits(c, s)
	if err != nil {
		return nil, nil, err
	}
	host := &container.HostConfig{
		NetworkMode:    container.NetworkMode("container:" + s.pauseID),
		ReadonlyRootfs: aws.ToBool(c.ReadonlyRootFilesystem),
		Mounts:         mounts,
		Resources:      limits,
		// Lines go to CloudWatch Logs; docker logs keeps the last of them for a person who looks here.
		LogConfig: container.LogConfig{Type: "local", Config: map[string]string{"max-size": "10m", "max-file": "2"}},
	}
	if p := c.LinuxParameters; p != nil {
		host.Init = p.InitProcessEnabled
		if p.Capabilities != nil {
			host.CapAdd, host.CapDrop = p.Capabilities.Add, p.Capabilities.Drop
		}
	}
	return config, host, nil
}

// trustedProxies is the sidecar's variable for the ranges of the load balancer, whose headers say how the client has come. Here
// the load balancer's requests come from the gateway of Docker's network, which stands for those ranges.
const trustedProxies = "NGINX_TRUSTED_PROXIES"

// environment is the container's own plus what the Fargate agent adds.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
func environment(c types.ContainerDefinition, s surroundings) []string {
	values := map[string]string{
		"AWS_EXECUTION_ENV":  "AWS_ECS_FARGATE",
		"AWS_REGION":         s.region,
		"AWS_DEFAULT_REGION": s.region,
	}
	for _, e := range c.Environment {
		values[aws.ToString(e.Name)] = aws.ToString(e.Value)
	}
	for name, value := range s.secrets {
		values[name] = value
	}
	if trusted, set := values[trustedProxies]; set && s.gateway != "" {
		values[trustedProxies] = strings.TrimPrefix(trusted+","+s.gateway+"/32", ",")
	}
	var env []string
	for name, value := range values {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// mounts keeps an image's content and mode at a mount path only where its Dockerfile declares VOLUME for exactly that
// path; elsewhere a volume starts empty, root:root 0755. A file system of EFS is mounted as it is, whatever the image has
// there: Docker would fill it once, and change its owner.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html
func mounts(c types.ContainerDefinition, s surroundings) ([]mount.Mount, error) {
	var all []mount.Mount
	for _, m := range c.MountPoints {
		name, path := aws.ToString(m.SourceVolume), aws.ToString(m.ContainerPath)
		source, ok := s.volumes[name]
		fileSystem, isEFS := s.efs[name]
		if isEFS {
			source, ok = fileSystem, true
		}
		if !ok {
			return nil, fmt.Errorf("container %s: mount point %s: volume %q is not in the task definition", aws.ToString(c.Name), path, name)
		}
		_, declared := s.declared[path]
		all = append(all, mount.Mount{
			Type: mount.TypeVolume, Source: source, Target: path, ReadOnly: aws.ToBool(m.ReadOnly),
			VolumeOptions: &mount.VolumeOptions{NoCopy: isEFS || !declared},
		})
	}
	return all, nil
}

// limits gives every container its own memory limit, or the task's, and no container more CPU than the task has.
func (d *Definition) limits(c types.ContainerDefinition, s surroundings) (container.Resources, error) {
	taskCPU, err := sizeInUnits(aws.ToString(d.Cpu), "vcpu")
	if err != nil {
		return container.Resources{}, fmt.Errorf("task cpu: %w", err)
	}
	taskMemory, err := sizeInUnits(aws.ToString(d.Memory), "gb")
	if err != nil {
		return container.Resources{}, fmt.Errorf("task memory: %w", err)
	}
	memory := taskMemory
	if c.Memory != nil {
		memory = float64(*c.Memory)
	}
	r := container.Resources{
		Memory:            int64(memory) * mebibyte,
		MemorySwap:        int64(memory) * mebibyte, // equal: no swap, as on Fargate
		MemoryReservation: int64(aws.ToInt32(c.MemoryReservation)) * mebibyte,
		CPUShares:         d.shares(c),
		NanoCPUs:          int64(min(taskCPU/cpuUnits, s.cpus) * 1e9),
	}
	if s.setsNofile {
		r.Ulimits = nofile(defaultNofile, defaultNofile)
		for _, u := range c.Ulimits {
			r.Ulimits = nofile(int64(u.SoftLimit), int64(u.HardLimit))
		}
	}
	return r, nil
}

// leastShares is what ECS gives a container that asks for no CPU, beside others of its task that do.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
const leastShares = 2

// shares is a container's weight among the containers of its task. On Fargate nothing else runs beside these; here a build
// in another container would take all but a thousandth of the CPU from a task with the least weight. So a task whose
// containers all ask for none, which makes them equal, leaves them Docker's own weight, like any other container.
func (d *Definition) shares(c types.ContainerDefinition) int64 {
	if !slices.ContainsFunc(d.ContainerDefinitions, func(each types.ContainerDefinition) bool { return each.Cpu > 0 }) {
		return 0
	}
	return int64(max(leastShares, c.Cpu))
}

// sizeInUnits reads "1024", "1 vCPU" or "2 GB". A vCPU is 1024 CPU units, and a GB 1024 MiB.
func sizeInUnits(s, unit string) (float64, error) {
	number, long := strings.CutSuffix(strings.ToLower(s), unit)
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return 0, fmt.Errorf("%q; want a number, or a number of %s", s, unit)
	}
	if long {
		value *= 1024
	}
	return value, nil
}

func stopTimeout(c types.ContainerDefinition) int {
	return int(*cmp.Or(c.StopTimeout, aws.Int32(defaultStopTimeout)))
}

func startTimeout(c types.ContainerDefinition) int {
	return int(*cmp.Or(c.StartTimeout, aws.Int32(defaultStartTimeout)))
}

// stopReasonVariable makes the local ECS fail a task with a reason that only AWS has, such as a quota or a missing right, so
// that tests see what a user would read.
const stopReasonVariable = "LOCAL_STOP_REASON"

func (d *Definition) stopReason() string {
	for _, c := range d.ContainerDefinitions {
		for _, variable := range c.Environment {
			if aws.ToString(variable.Name) == stopReasonVariable {
				return aws.ToString(variable.Value)
			}
		}
	}
	return ""
}
