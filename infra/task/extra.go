package task

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fargate-nginx-sidecar/infra/settings"
)

// ExtraContainer is a container of the task beside NGINX and the app, such as a collector of traces and metrics. The app reaches
// it on 127.0.0.1, and nothing outside the task does. It starts before the app and stops after it.
type ExtraContainer struct {
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

const extraKey = "sidecars"

// extraLimit leaves room for NGINX, the app and a log router among the containers that ECS allows in a task.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
const extraLimit = 10 - 3

// leastMemory is what Docker needs for a container, in MiB.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
const leastMemory = 6

// reservedNames are those of other containers and of log streams.
var reservedNames = []string{NginxContainer, AppContainer, Commands, logRouterName}

var extraPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)

func readExtra(r *settings.Reader) []ExtraContainer {
	given := settings.NamedObjects[ExtraContainer](r, extraKey,
		"image, command, user, writablePaths, writableRoot, environment, secrets, essential, cpu, memory, healthCommand, restartSeconds")
	if len(given) > extraLimit {
		r.Fail(extraKey, fmt.Sprintf("%d containers", len(given)), fmt.Sprintf("at most %d", extraLimit))
		return nil
	}

	var all []ExtraContainer
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !extraPattern.MatchString(name) || slices.Contains(reservedNames, name) {
			r.FailIn(extraKey, extraKey, strconv.Quote(name),
				"names of 1 to 20 of a-z, 0-9 and hyphens that begin with a letter, but not "+strings.Join(reservedNames, ", "))
			continue
		}
		container, part := given[name], extraKey+"."+name
		container.Name = name
		container.check(r, part)
		r.CheckVariables(extraKey, part+".environment", container.Environment, nil)
		container.secrets = r.CheckSecrets(extraKey, part+".secrets", container.SecretNames, nil)
		all = append(all, container)
	}

	return all
}

func (f ExtraContainer) check(r *settings.Reader, part string) {
	fail := func(field, got, allowed string) { r.FailIn(extraKey, part+"."+field, got, allowed) }

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
	for _, container := range s.Extra {
		cpu, memory = cpu+container.CPU, memory+container.Memory
	}

	return cpu, memory
}

// checkExtra refuses containers that leave nothing of the task for NGINX and the app.
func checkExtra(r *settings.Reader, s Settings) {
	cpu, memory := s.taken()
	if cpu > 0 && s.ownShare() < 1 {
		r.Conflict([]string{extraKey, "cpu"},
			fmt.Sprintf("the containers ask for %d of the task's %d CPU units, which leaves none for NGINX and the app; allowed: a smaller sum", cpu, s.CPU))
	}
	if memory >= s.Memory {
		r.Conflict([]string{extraKey, "memory"},
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

// extra renders an extra container. Its log goes to the app's group, in streams of its own.
func (b builder) extra(f ExtraContainer) container {
	c := b.common(f.Name, f.Image)
	c.Command = f.Command
	c.User = f.User
	c.ReadOnly = c.ReadOnly && !f.WritableRoot
	c.Essential = f.Essential
	c.CPU, c.Memory = f.CPU, f.Memory
	c.Environment = environment(f.Environment)
	c.Secrets = b.secrets[f.Name]
	for i, path := range f.WritablePaths {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: extraVolume(f.Name, i), ContainerPath: path})
	}
	if len(f.HealthCommand) > 0 {
		c.HealthCheck = b.healthCheck(f.HealthCommand...)
	}
	c.RestartPolicy = restart(f.RestartSeconds)
	c.LogConfiguration = b.logs(f.Name, b.AppLogGroup)

	return c
}

// dependency makes the app start after the container, and stop before it, so that what the app sends last still arrives.
// The app waits for the container's health only if it needs the container, which is what essential says.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
func (f ExtraContainer) dependency() dependency {
	if f.Essential && len(f.HealthCommand) > 0 {
		return dependency{ContainerName: f.Name, Condition: "HEALTHY"}
	}

	return dependency{ContainerName: f.Name, Condition: "START"}
}

// furtherVolume names the volume of a container's writable path with the given index.
func extraVolume(name string, index int) string {
	return fmt.Sprintf("writable-%s-%d", name, index+1)
}

// ExtraImages are the images of the task beside NGINX's and the app's, by the settings that name them.
func (s Settings) ExtraImages() map[string]string {
	images := map[string]string{}
	for _, container := range s.Extra {
		images[extraKey+"."+container.Name] = container.Image
	}
	if s.LogRouter.on() {
		images[logRouterKey] = s.LogRouter.Image
	}

	return images
}
