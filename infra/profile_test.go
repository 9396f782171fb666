package infra_test

import (
	"maps"
	"reflect"
	"testing"

	"fargate-nginx-sidecar/infra/infratest"
)

// profiled are the settings whose default the profile decides, each with its default in dev and in prod.
func profiled(t *testing.T) map[string][2]string {
	t.Helper()

	all := map[string][2]string{}
	for path, setting := range declared(t) {
		if setting.InProd != "" {
			all[path] = [2]string{setting.Default, setting.InProd}
		}
	}
	// Without a maximum, dev has a fixed number of tasks; the firewall's word for none is false.
	all["scale.max"], all["ingress.firewall"] = [2]string{"2", all["scale.max"][1]}, [2]string{"false", all["ingress.firewall"][1]}

	return all
}

// The value that the profile gives has the same effect as the same value in the stack file.
func TestTheProfileDecidesSettingsThatTheStackDoesNotSet(t *testing.T) {
	for path, values := range profiled(t) {
		for i, profile := range []string{"dev", "prod"} {
			given := run(t, profileSettings(t, path, map[string]string{"profile": profile, path: values[i]}))
			decided := run(t, profileSettings(t, path, map[string]string{"profile": profile}))
			if !reflect.DeepEqual(given.Resources, decided.Resources) {
				t.Errorf("%s: profile %s is not %s", path, profile, values[i])
			}
		}
		if values[0] == values[1] {
			t.Errorf("%s: %s in both profiles; want two values", path, values[0])
		}
	}
}

// A value in the stack file takes precedence over the profile.
func TestSettingsOverrideTheProfile(t *testing.T) {
	for path, values := range profiled(t) {
		in := func(profile, value string) *infratest.Graph {
			return run(t, profileSettings(t, path, map[string]string{"profile": profile, path: value}))
		}
		if reflect.DeepEqual(in("prod", values[0]).Resources, in("prod", values[1]).Resources) {
			t.Errorf("%s: %s in prod changes nothing", path, values[0])
		}
	}
}

// profileSettings are the settings of a stack in which the given one makes a difference.
func profileSettings(t *testing.T, path string, changes map[string]string) map[string]string {
	t.Helper()

	all := maps.Clone(changes)
	for other, value := range others[path].with {
		if _, given := all[other]; !given {
			all[other] = value
		}
	}

	return defaults(t, all)
}
