package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra/config"
	"fargate-nginx-sidecar/infra/infratest"
)

// A setting that the profile decides says so in Pulumi.yaml, with both values, and no other does.
func TestDescriptionsNameTheValuesOfBothProfiles(t *testing.T) {
	settings, profiled := declared(t), config.Profiled()
	for key := range profiled {
		if settings[key].Default != "profile" || settings[key].Type != "string" {
			t.Errorf("%s: type %s, default %v; want string, profile", key, settings[key].Type, settings[key].Default)
		}
	}
	for key, setting := range settings {
		values, ok := profiled[key]
		if (setting.Default == "profile") != ok {
			t.Errorf("%s: default %v, but the profile decides it: %v", key, setting.Default, ok)
		}
		if want := fmt.Sprintf("`dev: %s`, `prod: %s`. ", values.Dev, values.Prod); ok && !strings.HasPrefix(setting.Description, want) {
			t.Errorf("%s: description %q; want it to begin with %q", key, setting.Description, want)
		}
	}
}

// The value that a profile gives does the same as the value written down, and the other one does not.
func TestTheProfileDecidesWhatNobodySets(t *testing.T) {
	for key, values := range config.Profiled() {
		for profile, value := range map[string]string{"dev": values.Dev, "prod": values.Prod} {
			given := run(t, profileSettings(t, key, map[string]string{"profile": profile, key: value}))
			decided := run(t, profileSettings(t, key, map[string]string{"profile": profile}))
			if !reflect.DeepEqual(given.Resources, decided.Resources) {
				t.Errorf("%s: profile %s is not %s", key, profile, value)
			}
		}
		if values.Dev == values.Prod {
			t.Errorf("%s: %s in both profiles; want two values", key, values.Dev)
		}
	}
}

// A setting of the stack's own is stronger than the profile.
func TestSettingsOverrideTheProfile(t *testing.T) {
	for key, values := range config.Profiled() {
		in := func(profile, value string) *infratest.Graph {
			return run(t, profileSettings(t, key, map[string]string{"profile": profile, key: value}))
		}
		if reflect.DeepEqual(in("prod", values.Dev).Resources, in("prod", values.Prod).Resources) {
			t.Errorf("%s: %s in prod changes nothing", key, values.Dev)
		}
	}
}

// profileSettings are the settings of a stack in which the given one counts.
func profileSettings(t *testing.T, key string, changes map[string]string) map[string]string {
	t.Helper()

	settings := defaults(t, others[key].with)
	for name, value := range infratest.Namespaced(changes) {
		settings[name] = value
	}

	return settings
}
