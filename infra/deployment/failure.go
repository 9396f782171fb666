package deployment

import (
	"errors"
	"fmt"
	"strings"
)

// Failure is the explanation of a deployment that failed, as its reader gets it: first the cause and the remedy, then what
// they were taken from.
type Failure struct {
	Cause, Remedy string
	// Details are whole lines.
	Details []string
}

// Error implements error.
func (f *Failure) Error() string {
	lines := []string{f.Cause}
	if f.Remedy != "" {
		lines = append(lines, "Remedy: "+f.Remedy)
	}

	return strings.Join(append(lines, f.Details...), "\n")
}

// In says in an error of a deployment to which service it belongs.
func In(service string, err error) error {
	if f := new(Failure); errors.As(err, &f) {
		return &Failure{Cause: fmt.Sprintf("service %s: %s", service, f.Cause), Remedy: f.Remedy, Details: f.Details}
	}

	return fmt.Errorf("service %s: %w", service, err)
}
