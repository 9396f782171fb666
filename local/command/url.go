package command

import (
	"cmp"
	"crypto/tls"
	"net/http"
	"strings"

	"fargate-nginx-sidecar/local/cloud/run"
)

// localURL is the stack's url output, as it is reached on this machine.
func localURL(current run.Run, outputs map[string]any) (string, error) {
	if url, _ := outputs["url"].(string); !strings.HasPrefix(url, "https://") {
		return "http://" + current.Listen, nil
	}
	address, err := httpsAddress(current.Listen)
	return "https://" + address, err
}

// clientFor is a client that accepts the certificate of the local load balancer, which no authority has signed, and names
// the given host; "" is the URL's. A redirect is an answer: the way to a login ends at somebody else.
func clientFor(host string) *http.Client {
	here := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{CheckRedirect: here, Transport: naming{host: host, next: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // loopback only; the certificate in AWS is ACM's
	}}}
}

// naming puts a Host into every request.
type naming struct {
	host string
	next http.RoundTripper
}

func (n naming) RoundTrip(request *http.Request) (*http.Response, error) {
	named := request.Clone(request.Context())
	named.Host = cmp.Or(n.host, request.Host)
	return n.next.RoundTrip(named)
}
