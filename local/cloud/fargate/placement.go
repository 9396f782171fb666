package fargate

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
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

// subnets finds out where tasks are placed, and gives every task an address of its own: by it the load balancer tells one
// target from another.
type subnets struct {
	caller emulator.Caller

	mu    sync.Mutex
	known map[string]subnet // by id; what is in AWS never changes
	taken map[netip.Addr]bool
}

type subnet struct {
	zone  string
	block netip.Prefix
}

func newSubnets(o Options) *subnets {
	return &subnets{
		caller: emulator.Caller{URL: o.Endpoint, Region: o.Region},
		known:  map[string]subnet{"": {block: netip.MustParsePrefix("10.0.0.0/16")}},
		taken:  map[netip.Addr]bool{},
	}
}

// place takes a free address of a subnet, until release. Nothing listens there: it is the name under which the load balancer
// knows the task.
func (s *subnets) place(ctx context.Context, id string) (placement, error) {
	s.mu.Lock()
	found, ok := s.known[id]
	s.mu.Unlock()
	if !ok {
		var err error
		if found, err = s.read(ctx, id); err != nil {
			return placement{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[id] = found
	ip, free := found.address(s.taken)
	if !free {
		return placement{}, fmt.Errorf("subnet %s: no free address in %s", id, found.block)
	}
	s.taken[ip] = true
	return placement{
		zone: found.zone,
		ip:   ip.String(),
		host: fmt.Sprintf("ip-%s.%s.compute.internal", strings.ReplaceAll(ip.String(), ".", "-"), s.caller.Region),
	}, nil
}

// release gives the address of a placement back, when nothing remembers it any more.
func (s *subnets) release(p placement) {
	ip, err := netip.ParseAddr(p.ip)
	if err != nil {
		return // the task was placed nowhere
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.taken, ip)
}

// read describes one subnet.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html
func (s *subnets) read(ctx context.Context, id string) (subnet, error) {
	var answer struct {
		Subnets []struct {
			Zone  string `xml:"availabilityZone"`
			Block string `xml:"cidrBlock"`
		} `xml:"subnetSet>item"`
	}
	if err := s.caller.Query(ctx, "ec2", "2016-11-15", "DescribeSubnets", url.Values{"SubnetId.1": {id}}, &answer); err != nil {
		return subnet{}, fmt.Errorf("subnet %s: %w", id, err)
	}
	if len(answer.Subnets) != 1 {
		return subnet{}, fmt.Errorf("subnet %s: %d found, want 1", id, len(answer.Subnets))
	}
	block, err := netip.ParsePrefix(answer.Subnets[0].Block)
	if err != nil {
		return subnet{}, fmt.Errorf("subnet %s: %w", id, err)
	}
	return subnet{zone: answer.Subnets[0].Zone, block: block}, nil
}

// The first four addresses and the last one of a subnet are AWS's own.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
const (
	firstAddress   = 4
	ownedAddresses = 5
)

// address is a random address of the subnet that is not taken, and whether there is one.
func (s subnet) address(taken map[netip.Addr]bool) (ip netip.Addr, free bool) {
	first := s.block.Masked().Addr().As4()
	size := max(1, 1<<(32-s.block.Bits())-ownedAddresses)
	offset := mathrand.IntN(size) //nolint:gosec // an address, not a secret
	for range size {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], binary.BigEndian.Uint32(first[:])+uint32(firstAddress+offset)) //nolint:gosec // below 2³²
		if ip = netip.AddrFrom4(raw); !taken[ip] {
			return ip, true
		}
		offset = (offset + 1) % size
	}
	return ip, false
}
