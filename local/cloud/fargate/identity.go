package fargate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
)

// placement is where a task would run.
type placement struct {
	subnetID, zone string
	ip             string
	host           string
}

// newID is 32 hexadecimal digits, ECS's form of a task id.
func newID() string {
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

// place picks a subnet, round robin over the service's, and an address in it. Nothing listens on that address: it
// is the name under which the load balancer knows the task.
func (e *emulator) place(ctx context.Context, subnets []string, n int) (placement, error) {
	found := subnet{block: netip.MustParsePrefix("10.0.0.0/16")}
	var id string
	if len(subnets) > 0 {
		id = subnets[n%len(subnets)]
		var err error
		if found, err = e.subnet(ctx, id); err != nil {
			return placement{}, err
		}
	}
	ip := randomAddress(found.block)
	return placement{
		subnetID: id,
		zone:     found.zone,
		ip:       ip.String(),
		host:     fmt.Sprintf("ip-%s.%s.compute.internal", strings.ReplaceAll(ip.String(), ".", "-"), e.region),
	}, nil
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
