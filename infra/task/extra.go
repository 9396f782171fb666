package service

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
)

// Further is a container of the task beside NGINX and the app, such as a collector of traces and metrics. The app reaches
// it on 127.0.0.1, and nothing outside the task does. It starts before the app and stops after it.
type Further struct {
	Name  string `json:"-"`
	Image string `json:"image"`
	// Command, User and WritablePaths are like the app's. WritableRoot makes the whole file system writable.
	Command       []string        `json:"command"`
	User          string          `json:"user"`
	WritablePaths []string        `json:"writablePaths"`
	WritableRoot  bool            `json:"writableRoot"`
	Environment   settings.Values `json:"environment"`
	SecretNames   settings.Values `json:"secrets"`
	// Essential makes the task stop when the container does. Otherwise the task goes on without it.
	Essential bool `json:"essential"`
	// CPU is the share that the container gets even if the others want more, in CPU units; zero is what they leave. If the
	// container takes more than Memory, in MiB, it is killed; zero is no limit. Both come out of the task's.
	CPU    int `json:"cpu"`
	Memory int `json:"memory"`
	// HealthCommand is like the app's.
	HealthCommand []string `json:"healthCommand"`
	// RestartSeconds is like App.Restart.
	RestartSeconds int `json:"restartSeconds"`

	secrets map[string]settings.Secret
}

const furtherKey = "sidecars"

// furtherLimit leaves room for NGINX, the app and a log router among the containers that ECS allows in a task.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
const furtherLimit = 10 - 3

// leastMemory is what Docker needs for a container, in MiB.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
const leastMemory = 6

// takenNames are those of other containers and of log streams.
var takenNames = []string{nginxName, appName, commandsName, logRouterName}

var furtherPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)

func readFurther(r *settings.Reader) []Further {
	given := settings.NamedObjects[Further](r, furtherKey,
		"image, command, user, writablePaths, writableRoot, environment, secrets, essential, cpu, memory, healthCommand, restartSeconds")
	if len(given) > furtherLimit {
		r.Fail(furtherKey, fmt.Sprintf("%d containers", len(given)), fmt.Sprintf("at most %d", furtherLimit))
		return nil
	}

	var all []Further
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !furtherPattern.MatchString(name) || slices.Contains(takenNames, name) {
			r.FailIn(furtherKey, furtherKey, strconv.Quote(name),
				"names of 1 to 20 of a-z, 0-9 and hyphens that begin with a letter, but not "+strings.Join(takenNames, ", "))
			continue
		}
		container, part := given[name], furtherKey+"."+name
		container.Name = name
		container.check(r, part)
		r.CheckVariables(furtherKey, part+".environment", container.Environment, nil)
		container.secrets = r.CheckSecrets(furtherKey, part+".secrets", container.SecretNames, nil)
		all = append(all, container)
	}

	return all
}

func (f Further) check(r *settings.Reader, part string) {
	fail := func(field, got, allowed string) { r.FailIn(furtherKey, part+"."+field, got, allowed) }

	if !settings.IsImage(f.Image) {
		fail("image", strconv.Quote(f.Image), settings.ImageAllowed)
	}
	if slices.Contains(f.Command, "") {
		fail("command", words(f.Command), "a list of words without an empty one")
	}
	if !userPattern.MatchString(f.User) {
		fail("user", strconv.Quote(f.User), userAllowed)
	}
	for i, path := range f.WritablePaths {
		if !pathOfVolume.MatchString(path) || strings.Contains(path, "..") || slices.Contains(f.WritablePaths[:i], path) {
			fail("writablePaths", strconv.Quote(path), "absolute paths below /, such as /tmp, each once")
		}
	}
	if len(f.HealthCommand) > 0 && !isHealthCommand(f.HealthCommand) {
		fail("healthCommand", words(f.HealthCommand), healthCommandAllowed)
	}
	if f.CPU < 0 {
		fail("cpu", strconv.Itoa(f.CPU), "0 (what the others leave), or a number of CPU units")
	}
	if f.Memory != 0 && f.Memory < leastMemory {
		fail("memory", strconv.Itoa(f.Memory), fmt.Sprintf("0 (no limit), or %d MiB and more", leastMemory))
	}
	if !restartIsAllowed(f.RestartSeconds) {
		fail("restartSeconds", strconv.Itoa(f.RestartSeconds), restartAllowed)
	}
	for _, name := range slices.Sorted(maps.Keys(f.SecretNames)) {
		if _, both := f.Environment[name]; both {
			fail("secrets", name+" is in environment, too", "each variable once")
		}
	}
}

// words shows a list as people write it in YAML.
func words(list []string) string { return "[" + strings.Join(list, ", ") + "]" }

// taken is what these containers get of the task's CPU and may take of its memory.
func (s Settings) taken() (cpu, memory int) {
	for _, container := range s.Further {
		cpu, memory = cpu+container.CPU, memory+container.Memory
	}

	return cpu, memory
}

// checkFurther refuses containers that leave nothing of the task for NGINX and the app.
func checkFurther(r *settings.Reader, s Settings) {
	cpu, memory := s.taken()
	if cpu > 0 && s.ownShare() < 1 {
		r.Conflict([]string{furtherKey, "cpu"},
			fmt.Sprintf("the containers ask for %d of the task's %d CPU units, which leaves none for NGINX and the app; allowed: a smaller sum", cpu, s.CPU))
	}
	if memory >= s.Memory {
		r.Conflict([]string{furtherKey, "memory"},
			fmt.Sprintf("the containers may take %d of the task's %d MiB, which leaves none for NGINX and the app; allowed: a smaller sum", memory, s.Memory))
	}
}

// ownShare is what NGINX and the app get each of the task's CPU, in CPU units. As long as no container asks for a share,
// all have the same. Once one does, the others have to ask, too: ECS gives a container that asks for none two units. The
// sum must be lower than what the task has.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
func (s Settings) ownShare() int {
	cpu, _ := s.taken()
	if cpu == 0 {
		return 0
	}

	return (s.CPU - cpu - 1) / 2
}

// container renders the definition. The log goes to the app's group, in streams of its own.
func (f Further) container(service string, args Args, values resolved) container {
	c := common(args, f.Name, f.Image)
	c.Command = f.Command
	c.User = f.User
	c.ReadOnly = c.ReadOnly && !f.WritableRoot
	c.Essential = f.Essential
	c.CPU, c.Memory = f.CPU, f.Memory
	c.Environment = environment(f.Environment)
	c.Secrets = values.secrets[f.Name]
	for i, path := range f.WritablePaths {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: furtherVolume(f.Name, i), ContainerPath: path})
	}
	if len(f.HealthCommand) > 0 {
		c.HealthCheck = health(args, f.HealthCommand...)
	}
	c.RestartPolicy = restart(f.RestartSeconds)
	c.LogConfiguration = logs(service, args, f.Name, values.appLogGroup)

	return c
}

// dependency makes the app start after the container, and stop before it, so that what the app sends last still arrives.
// The app waits for the container's health only if it needs the container, which is what essential says.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
func (f Further) dependency() dependency {
	if f.Essential && len(f.HealthCommand) > 0 {
		return dependency{ContainerName: f.Name, Condition: "HEALTHY"}
	}

	return dependency{ContainerName: f.Name, Condition: "START"}
}

// furtherVolume names the volume of a container's writable path with the given index.
func furtherVolume(name string, index int) string {
	return fmt.Sprintf("writable-%s-%d", name, index+1)
}

func furtherVolumes(all []Further) ecs.TaskDefinitionVolumeArray {
	var volumes ecs.TaskDefinitionVolumeArray
	for _, container := range all {
		for i := range container.WritablePaths {
			volumes = append(volumes, ecs.TaskDefinitionVolumeArgs{Name: pulumi.String(furtherVolume(container.Name, i))})
		}
	}

	return volumes
}

// FurtherImages are the images of the task beside NGINX's and the app's, by the settings that name them.
func (s Settings) FurtherImages() map[string]string {
	images := map[string]string{}
	for _, container := range s.Further {
		images[furtherKey+"."+container.Name] = container.Image
	}
	if s.LogRouter.on() {
		images[logRouterKey] = s.LogRouter.Image
	}

	return images
}
