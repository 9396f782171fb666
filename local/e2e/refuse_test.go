package e2e_test

import (
	"net"
	"strconv"
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
	t.Run("settings are wrong", func(t *testing.T) {
		c := newCheckout(t)
		c.assertRefused(t, "cpu: 300", "--set", "cpu=300", "--set", "network=moon")
	})
	t.Run("an image does not build", func(t *testing.T) {
		c := newCheckout(t)
		c.edit(t, "images/app/Dockerfile", "USER", "RUN echo the reason is here && false\nUSER")
		c.assertRefused(t, "the reason is here")
	})
}
