package command

import (
	"net"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/run"
)

func TestThePortsAreHeldUntilTheyAreReleased(t *testing.T) {
	address := freePair(t)
	held, release, err := hold(t.Context(), address)
	if err != nil || len(held) != len(balancerPorts) {
		t.Fatalf("got %d ports, %v", len(held), err)
	}
	_, releaseNone, err := hold(t.Context(), address)
	releaseNone()
	secure, _ := httpsAddress(address)
	for _, want := range []string{
		"port: the load balancer cannot listen on " + address, "port: the load balancer cannot listen on " + secure,
		"address already in use; stop what uses the port, or choose another with LOCAL_PORT",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ports that are held: got %v, want %q", err, want)
		}
	}
	release()
	_, release, err = hold(t.Context(), address)
	release()
	if err != nil {
		t.Errorf("ports that were released: %v", err)
	}
}

func TestAPortWithoutRoomForHTTPSAboveItIsRefused(t *testing.T) {
	for port, want := range map[int]string{65172: "", 65173: "LOCAL_PORT: 65173; allowed: 1 to 65172, because the port for HTTPS is 363 above it", -1: "LOCAL_PORT: -1"} {
		_, err := addresses(listenAt(port, run.Run{}))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d: got %v, want %q", port, err, want)
		}
	}
}

func TestWithoutAPortTheLoadBalancerStaysWhereItIs(t *testing.T) {
	for _, c := range []struct {
		port    int
		running string
		want    string
	}{
		{0, "", "127.0.0.1:8080"},
		{9000, "", "127.0.0.1:9000"},
		{0, "127.0.0.1:9000", "127.0.0.1:9000"},
		{9001, "127.0.0.1:9000", "127.0.0.1:9001"},
	} {
		if got := listenAt(c.port, run.Run{Listen: c.running}); got != c.want {
			t.Errorf("port %d, running at %q: got %s, want %s", c.port, c.running, got, c.want)
		}
	}
}

// freePair is an address that nothing listens on, as on the one for HTTPS.
func freePair(t *testing.T) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		_ = listener.Close()
		_, release, err := hold(t.Context(), address)
		release()
		if err == nil {
			return address
		}
	}
	t.Fatal("no two free ports")
	return ""
}
