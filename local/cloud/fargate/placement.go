package fargate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"fargate-nginx-sidecar/local/cloud/emulator"
)

// placement is where a task would run.
type placement struct{ zone, ip, host string }

// NewID is 32 hexadecimal digits, ECS's form of a task id.
func NewID() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	return hex.EncodeToString(raw[:])
}

// taskARN and containerARN name things as ECS does, from the cluster's ARN.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html
func taskARN(cluster, id string) string {
	return strings.Replace(cluster, ":cluster/", ":task/", 1) + "/" + id
}

func containerARN(cluster, task, id string) string {
	return strings.Replace(cluster, ":cluster/", ":container/", 1) + "/" + task + "/" + id
}

// subnets finds out where tasks are placed. The answers never change.
type subnets struct {
	endpoint, region string

	mu    sync.Mutex
	known map[string]subnet // by id
}

type subnet struct {
	zone  string
	block netip.Prefix
}

func newSubnets(o Options) *subnets {
	return &subnets{endpoint: o.Endpoint, region: o.Region, known: map[string]subnet{"": {block: netip.MustParsePrefix("10.0.0.0/16")}}}
}

// place picks an address in a subnet. Nothing listens there: it is the name under which the load balancer knows the task.
func (s *subnets) place(ctx context.Context, id string) (placement, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.known[id]
	if !ok {
		var err error
		if found, err = s.read(ctx, id); err != nil {
			return placement{}, err
		}
		s.known[id] = found
	}
	ip := randomAddress(found.block)
	return placement{
		zone: found.zone,
		ip:   ip.String(),
		host: fmt.Sprintf("ip-%s.%s.compute.internal", strings.ReplaceAll(ip.String(), ".", "-"), s.region),
	}, nil
}

// read speaks EC2's query protocol itself: the typed client is the largest package of the AWS SDK, and this is the only
// call.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html
func (s *subnets) read(ctx context.Context, id string) (subnet, error) {
	form := url.Values{"Action": {"DescribeSubnets"}, "Version": {"2016-11-15"}, "SubnetId.1": {id}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return subnet{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	emulator.Address(request, s.region, "ec2")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return subnet{}, err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Subnets []struct {
			Zone  string `xml:"availabilityZone"`
			Block string `xml:"cidrBlock"`
		} `xml:"subnetSet>item"`
	}
	if err := xml.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Subnets) != 1 {
		return subnet{}, fmt.Errorf("subnet %s: status %s, %d found: %w", id, response.Status, len(answer.Subnets), err)
	}
	block, err := netip.ParsePrefix(answer.Subnets[0].Block)
	if err != nil {
		return subnet{}, fmt.Errorf("subnet %s: %w", id, err)
	}
	return subnet{zone: answer.Subnets[0].Zone, block: block}, nil
}

// The first four addresses and the last one of a subnet are AWS's own.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
func randomAddress(block netip.Prefix) netip.Addr {
	size := int64(1) << (32 - block.Bits())
	offset, _ := rand.Int(rand.Reader, big.NewInt(max(1, size-5)))
	raw := block.Masked().Addr().As4()
	sum := (int64(raw[0])<<24 | int64(raw[1])<<16 | int64(raw[2])<<8 | int64(raw[3])) + 4 + offset.Int64()
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}) //nolint:gosec // one byte of it each
}
