package service

import (
	"errors"
	"fmt"
	"strings"
)

// App is what the app's container says about itself, besides its image.
type App struct {
	// Command replaces the image's; empty is the image's own. HealthCommand begins with CMD or CMD-SHELL.
	Command, HealthCommand []string
	// User is a number other than root's, and may be followed by a colon and a group's.
	User string
	// WritablePaths are directories on an otherwise read-only file system. Each is empty when a task starts.
	WritablePaths []string
	Environment   map[string]string
	// Secrets are variables whose values ECS reads from a store when it starts a task.
	Secrets map[string]Secret
}

// Stores of secret values.
const (
	StoreParameter = "ssm"
	StoreSecret    = "secretsmanager"
)

// Secret names a value in a store. Key picks one field of a secret that holds JSON, or is empty.
type Secret struct{ Store, Name, Key string }

func (a App) validate() error {
	var errs []error
	if len(a.HealthCommand) < 2 {
		errs = append(errs, fmt.Errorf("app: health command %q; allowed: CMD or CMD-SHELL, and a command", a.HealthCommand))
	}
	if a.User == "" || a.User == "0" || strings.HasPrefix(a.User, "0:") || strings.HasPrefix(a.User, "root") {
		errs = append(errs, fmt.Errorf("app: user %q; allowed: any but root", a.User))
	}
	for name, secret := range a.Secrets {
		if secret.Store != StoreParameter && secret.Store != StoreSecret {
			errs = append(errs, fmt.Errorf("app: secret %s in store %q; allowed: %s, %s", name, secret.Store, StoreParameter, StoreSecret))
		}
	}

	return errors.Join(errs...)
}

// appVolume names the volume of the app's writable path with the given index.
func appVolume(index int) string {
	return fmt.Sprintf("%s-writable-%d", appName, index+1)
}
