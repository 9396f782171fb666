package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestADeployThatCannotWorkIsRefusedBeforeAnythingIsStarted covers what is wrong before the first resource exists.
func TestADeployThatCannotWorkIsRefusedBeforeAnythingIsStarted(t *testing.T) {
	t.Run("the port is taken", func(t *testing.T) {
		c := newCheckout(t)
		listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(c.port))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		c.assertRefused(t, "choose another with LOCAL_PORT")
	})
	t.Run("the environment does not exist", func(t *testing.T) {
		newCheckout(t).assertRefused(t, "there is no Pulumi.production.yaml; the stacks are: dev, pattern, prod, staging", "--stack", "production")
	})
	t.Run("settings, a Dockerfile and links are wrong, and all of that is said at once", func(t *testing.T) {
		c := newCheckout(t)
		for link, target := range map[string]string{"one": "missing", "two": "/etc/passwd"} {
			if err := os.Symlink(target, filepath.Join(c.root, "images", "app", link)); err != nil {
				t.Fatal(err)
			}
		}
		c.edit(t, "images/app/.dockerignore", "!app.js", "!app.js\n!one\n!two")
		if err := os.Remove(filepath.Join(c.root, "images", "nginx", "Dockerfile")); err != nil {
			t.Fatal(err)
		}
		output := c.assertRefused(t, "task.cpu: 300", "--set", "task.cpu=300", "--set", "network.kind=moon")
		for _, want := range []string{"network.kind: \"moon\"", "symbolic link one", "symbolic link two", "contains no Dockerfile"} {
			if !strings.Contains(output, want) {
				t.Errorf("the output lacks %q", want)
			}
		}
	})
}
