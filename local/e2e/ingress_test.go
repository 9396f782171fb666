package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/trial"
)

// The environments of the ways in; each checkout gets the files it needs.
const (
	ownerStack = "dev" // has the load balancer
	guestStack = "guest"
	guestHost  = "shop.example.com"
	apiStack   = "api"
)

// withStack copies a stack's file into the checkout.
func (c *checkout) withStack(t *testing.T, stack string) {
	t.Helper()
	name := "Pulumi." + stack + ".yaml"
	if err := trial.CopyFile(filepath.Join("testdata", name), filepath.Join(c.root, name)); err != nil {
		t.Fatal(err)
	}
}

// apiURL is where the HTTP API listens: API Gateway speaks HTTPS only.
func (c *checkout) apiURL() string {
	return "https://127.0.0.1:" + strconv.Itoa(c.port+trial.HTTPSOffset)
}

// client accepts the certificates of the local run.
var client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// ask asks for the sample's user and returns the answer, or an error that says what came instead.
func ask(url, host string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, url+"/api/users/1", nil)
	if err != nil {
		return "", err
	}
	request.Host = host
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

// loseNothing asks under every host while do runs, at least 100 times each, and fails for each request that did.
func loseNothing(t *testing.T, url string, hosts []string, do func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for _, host := range hosts {
		group.Go(func() {
			sent, failed := 0, 0
			for ; ctx.Err() == nil || sent < 100; time.Sleep(5 * time.Millisecond) {
				sent++
				if _, err := ask(url, host); err != nil {
					if failed++; failed == 1 {
						t.Errorf("host %q: %v", host, err)
					}
				}
			}
			t.Logf("host %q: %d requests, %d failed", host, sent, failed)
		})
	}
	do()
	cancel()
	group.Wait()
}

func (c *checkout) expect(t *testing.T, url, host, want string) {
	t.Helper()
	if got, err := ask(url, host); err != nil || got != want {
		t.Errorf("%s, host %q: got %q, %v; want %q", url, host, got, err, want)
	}
}

func TestTwoStacksShareOneLoadBalancer(t *testing.T) {
	c := newCheckout(t)
	c.withStack(t, guestStack)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	c.local(t, "up", "--stack", ownerStack)
	output := c.local(t, "up", "--stack", guestStack)
	for _, want := range []string{"the load balancer, VPC and subnets of stack " + ownerStack, "200 User 1 found!", "Host: " + guestHost} {
		if !strings.Contains(output, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	assertContract(t, c.url(), "owner.example.com")
	assertContract(t, c.url(), guestHost)

	c.edit(t, "images/app/app.js", sampleAnswer, changedAnswer)
	loseNothing(t, c.url(), []string{"owner.example.com", guestHost}, func() { c.local(t, "up", "--stack", guestStack) })
	c.expect(t, c.url(), guestHost, "User 1 found again!")
	c.expect(t, c.url(), "owner.example.com", "User 1 found!")
	if changes := c.changes(t); len(changes) > 0 {
		t.Errorf("a preview of %s shows %v", guestStack, changes)
	}
	if output, err := c.try(t, "down", "--stack", ownerStack); err == nil {
		t.Errorf("the owner was destroyed under its guest:\n%s", output)
	}

	loseNothing(t, c.url(), []string{"owner.example.com"}, func() { c.local(t, "down", "--stack", guestStack) })
	c.expect(t, c.url(), guestHost, "User 1 found!") // by the owner, which answers for every other host
	ended := c.current(t)
	c.local(t, "down")
	c.assertNothingLeft(t, ended)
}

func TestAStackBehindAnHTTPAPIMovesToALoadBalancerAndBack(t *testing.T) {
	c := newCheckout(t)
	c.withStack(t, apiStack)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	if output := c.local(t, "up", "--stack", apiStack); !strings.Contains(output, c.apiURL()) {
		t.Errorf("the output lacks %s", c.apiURL())
	}
	if changes := c.changes(t); len(changes) > 0 {
		t.Errorf("a preview shows %v", changes)
	}
	assertContract(t, c.apiURL(), "api.example.com")
	c.edit(t, "images/app/app.js", sampleAnswer, changedAnswer)
	loseNothing(t, c.apiURL(), []string{""}, func() {
		c.local(t, "up", "--stack", apiStack, "--set", "ingress.throttle=900", "--set", "domain.name="+testDomain, "--set", "domain.zone=Z0123456789ABCDEFGHIJ")
	})
	c.expect(t, c.apiURL(), "", "User 1 found again!")
	if got := c.outputs(t)["url"]; got != "https://"+testDomain {
		t.Errorf("url: got %s, want that of the domain", got)
	}
	assertUnchanged(t, c)

	c.local(t, "up", "--stack", apiStack, "--set", "ingress.kind=alb")
	c.expect(t, c.url(), "", "User 1 found again!")
	c.local(t, "up", "--stack", apiStack)
	c.expect(t, c.apiURL(), "", "User 1 found again!")
	if changes := c.changes(t); len(changes) > 0 {
		t.Errorf("a preview after the way back shows %v", changes)
	}
	ended := c.current(t)
	c.local(t, "down")
	c.assertNothingLeft(t, ended)
}
