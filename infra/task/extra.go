package task

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fargate-nginx-sidecar/infra/settings"
)

// ExtraContainer is a container of the task beside NGINX and the app, such as a collector of traces and metrics. The app reaches
// it on 127.0.0.1, and nothing outside the task does. It starts before the app and stops after it.
type ExtraContainer struct {
	Name, Image string
	// Command, User and WritablePaths are like the app's.
	Command       []string
	User          string
	WritablePaths []string
	Environment   map[string]string
	// Essential makes the task stop when the container does. Otherwise the task goes on without it.
	Essential bool
	// CPU is the share that the container gets even if the others want more, in CPU units; zero is what they leave. If the
	// container takes more than Memory, in MiB, it is killed; zero is no limit. Both come out of the task's.
	CPU, Memory int
	// HealthCommand is like the app's.
	HealthCommand []string

	imageSecret settings.Secret
	secrets     map[string]settings.Secret
}

const extraKey = "containers"

// extraLimit leaves room for NGINX, the app and a log router among the containers that ECS allows in a task.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
const extraLimit = 10 - 3

// leastMemory is what Docker needs for a container, in MiB.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
const leastMemory = 6

// reservedNames are those of other containers and of log streams.
var reservedNames = []string{NginxContainer, AppContainer, Commands, logRouterName}

func readExtra(g settings.Group) []ExtraContainer {
	const source = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definitions"
	all := settings.Members(g, func(name string, g settings.Group) ExtraContainer {
		if slices.Contains(reservedNames, name) {
			g.Refuse("reserved: the name of another container or log stream; reserved are " + strings.Join(reservedNames, ", "))
		}
		f := ExtraContainer{
			Name:          name,
			Image:         g.Required("image", settings.Form{Allowed: settings.ImageAllowed, Check: settings.IsImage}, "Image, with a tag or digest.", source),
			User:          g.Required("user", user, "User, as in `app.user`.", source),
			Command:       g.Else("the image's").Command("command", "Command, one word per item.", source),
			Environment:   g.Variables("environment", nil, "Environment variables.", source),
			secrets:       g.Secrets("secrets", nil, "Environment variables whose values ECS reads from a store, as in `app.secrets`.", source),
			Essential:     g.Bool("essential", false, "Whether the task ends with the container.", source),
			CPU:           g.Int("cpu", 0, 1, 16384, "CPU units", "Share of the task's CPU that the container gets even if the others want more.", source),
			Memory:        g.Else("no limit").Int("memory", 0, leastMemory, 122880, "MiB", "Memory above which the container is killed.", source),
			HealthCommand: readHealthCommand(g, "Command as in `app.healthCommand`."),
			WritablePaths: g.Texts("writablePaths", nil, writablePath, "Directories that the container may write to.", source),
		}
		f.imageSecret = readImageSecret(g)
		for _, variable := range slices.Sorted(maps.Keys(f.secrets)) {
			if _, both := f.Environment[variable]; both {
				g.Fail("secrets", variable+" is in environment, too", "each variable once")
			}
		}
		return f
	})
	if len(all) > extraLimit {
		g.Refuse(fmt.Sprintf("%d containers; allowed: at most %d", len(all), extraLimit))
	}

	return all
}

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
		r.Conflict([]string{extraKey, "task.cpu"},
			fmt.Sprintf("the containers claim %d of the task's %d CPU units, which leaves none for NGINX and the app; allowed: a smaller sum", cpu, s.CPU))
	}
	if memory >= s.Memory {
		r.Conflict([]string{extraKey, "task.memory"},
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
	c.Essential = f.Essential
	c.CPU, c.Memory = f.CPU, f.Memory
	c.Environment = environment(f.Environment)
	b.refer(&c)
	for i, path := range f.WritablePaths {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: extraVolume(f.Name, i), ContainerPath: path})
	}
	if len(f.HealthCommand) > 0 {
		c.HealthCheck = b.healthCheck(f.HealthCommand...)
	}
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
