package task

import (
	"encoding/json"
	"fmt"
	"maps"
)

// Overrides are members of container definitions that take the place of what the program renders, by the names of the
// containers.
type Overrides map[string]map[string]any

// ContainerNames are those of the containers of a task.
func (s Settings) ContainerNames() []string {
	names := []string{NginxContainer, AppContainer}
	for _, extra := range s.Extra {
		names = append(names, extra.Name)
	}
	if s.LogRouter.on() {
		names = append(names, logRouterName)
	}

	return names
}

// applied renders a container with its overrides.
func (o Overrides) applied(c container) (any, error) {
	changes := o[c.Name]
	if len(changes) == 0 {
		return c, nil
	}

	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", c.Name, err)
	}
	var definition map[string]any
	if err := json.Unmarshal(text, &definition); err != nil {
		return nil, fmt.Errorf("container %s: %w", c.Name, err)
	}
	merge(definition, changes)

	return definition, nil
}

// merge changes members of an object as a merge patch does: objects are merged, null removes a member.
// https://www.rfc-editor.org/rfc/rfc7396
func merge(into, changes map[string]any) {
	for name, value := range changes {
		change, isObject := value.(map[string]any)
		before, wasObject := into[name].(map[string]any)
		switch {
		case value == nil:
			delete(into, name)
		case isObject && wasObject:
			before = maps.Clone(before)
			merge(before, change)
			into[name] = before
		default:
			into[name] = value
		}
	}
}

// ofCommands are the overrides of a command's task. A command has no health to check, and one that has failed must not run again.
func (o Overrides) ofCommands() Overrides {
	app := maps.Clone(o[AppContainer])
	delete(app, "healthCheck")
	delete(app, "restartPolicy")

	return Overrides{AppContainer: app}
}
