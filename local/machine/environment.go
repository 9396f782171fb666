package machine

import (
	"os"
	"slices"
	"strings"
)

// inherited are the beginnings of variables that a user's shell has for other work: a profile, an endpoint, an access
// token or a backend of theirs would lead the run elsewhere, or fail it.
// https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html#EVarSettings
// https://www.pulumi.com/docs/iac/cli/environment-variables/
var inherited = []string{"AWS_", "PULUMI_"}

// loopback must be asked directly, whatever proxy the user has.
var loopback = []string{"127.0.0.1", "localhost", "::1"}

// OwnEnvironment drops from this process's environment, and so from that of every program it starts, what the run does
// not mean to take, and returns the names that it dropped, sorted.
func OwnEnvironment() (dropped []string, err error) {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !slices.ContainsFunc(inherited, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
		dropped = append(dropped, name)
	}
	slices.Sort(dropped)
	return dropped, withoutProxy()
}

// withoutProxy adds the loopback addresses to the hosts that are asked without a proxy. Programs read either spelling.
func withoutProxy() error {
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		hosts := strings.FieldsFunc(os.Getenv(name), func(r rune) bool { return r == ',' || r == ' ' })
		for _, host := range loopback {
			if !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
		if err := os.Setenv(name, strings.Join(hosts, ",")); err != nil {
			return err
		}
	}
	return nil
}
