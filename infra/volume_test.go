package infra_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The app, and nobody else, sees the volume, through its access point and over TLS.
func TestAVolumeIsMountedByItsAccessPointAndEncrypted(t *testing.T) {
	for iam, settings := range map[string]map[string]string{
		"DISABLED": {"app.volumes": uploads, "network.groups": toEFS},
		"ENABLED": {
			"app.volumes":  strings.Replace(uploads, "}", `,"iam":true,"readOnly":true}`, 1),
			"app.policies": `["arn:aws:iam::123456789012:policy/team/uploads"]`, "network.groups": toEFS,
		},
	} {
		t.Run(iam, func(t *testing.T) {
			settings["deployment.command"] = `["migrate"]`
			graph := run(t, defaults(t, settings))
			want := map[string]any{"name": "efs-uploads", "efsVolumeConfiguration": map[string]any{
				"fileSystemId": "fs-0123456789abcdef0", "rootDirectory": "/", "transitEncryption": "ENABLED",
				"authorizationConfig": map[string]any{"accessPointId": "fsap-0123456789abcdef1", "iam": iam},
			}}
			mount := map[string]any{"sourceVolume": "efs-uploads", "containerPath": "/srv/uploads", "readOnly": iam == "ENABLED"}
			for _, definition := range graph.OfType(taskDefinition) {
				if volumes := at(t, definition, "volumes").([]any); !reflect.DeepEqual(volumes[len(volumes)-1], want) {
					t.Errorf("%s: volumes: %v\nwant the last to be: %v", definition.Name, volumes, want)
				}
				for name, container := range containersOf(t, definition) {
					mounted := slices.ContainsFunc(container["mountPoints"].([]any), func(point any) bool { return reflect.DeepEqual(point, mount) })
					if mounted != (name == "app") {
						t.Errorf("%s: %s mounts %v", definition.Name, name, container["mountPoints"])
					}
				}
			}
		})
	}
}

func TestTheDiskOfATaskHasTheGivenSize(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"task.storage": "50GiB"}))
	if got := at(t, serviceDefinition(t, graph), "ephemeralStorage", "sizeInGib"); got != 50.0 {
		t.Errorf("disk: %v GiB; want 50", got)
	}
	if got := at(t, serviceDefinition(t, run(t, defaults(t, nil))), "ephemeralStorage"); got != nil {
		t.Errorf("disk without the setting: %v; want Fargate's own", got)
	}
}
