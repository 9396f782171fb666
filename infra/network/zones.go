package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
)

// withFargate lists, for each region in which some zones have no Fargate, the ids of the zones that have it. A zone's id
// means the same zone in every account, but its name, such as us-west-1a, can mean a different zone in each account.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate-Regions.html#linux-regions
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-regions-availability-zones.html
var withFargate = map[string][]string{
	"ap-northeast-1": {"apne1-az1", "apne1-az2", "apne1-az4"},
	"cn-north-1":     {"cnn1-az1", "cnn1-az2"},
	"us-west-1":      {"usw1-az1", "usw1-az3"},
}

// zones looks up the zones of the account, and returns the names of the zones for the subnets. It waits for the answer,
// also in a preview, because awsx accepts the names only as plain strings, not as outputs.
func (b *builder) zones() ([]string, error) {
	found, err := aws.GetAvailabilityZones(b.ctx, &aws.GetAvailabilityZonesArgs{
		// This filter leaves only availability zones, because Local Zones and Wavelength Zones need an opt-in. In an
		// account that has opted into one, awsx would choose that one first, because its name, such as us-east-1-atl-1a,
		// sorts before us-east-1a. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AvailabilityZone.html
		// There is no filter by state, because a zone that fails for an hour must not move the subnets of an existing
		// stack.
		Filters: []aws.GetAvailabilityZonesFilter{{Name: "opt-in-status", Values: []string{"opt-in-not-required"}}},
	}, b.child)
	if err != nil {
		return nil, fmt.Errorf("availability zones: %w", err)
	}

	return pick(b.Args, found.Names, found.ZoneIds)
}

// usable reports whether a zone has what the tasks and their ingress need.
func (a Args) usable(id string) bool {
	some, listed := withFargate[a.Region]

	return (!listed || slices.Contains(some, id)) && !slices.Contains(a.Unusable.ZoneIDs, id)
}

// needs says what a zone must have.
func (a Args) needs() string {
	if a.Unusable.Lacking == "" {
		return "Fargate"
	}

	return "Fargate and " + a.Unusable.Lacking
}

// pick returns the zones from the settings or, if there are none, the first zones by name. The arguments names and ids list
// the account's zones in the same order.
func pick(args Args, names, ids []string) ([]string, error) {
	var usable []string
	for i, name := range names {
		if args.usable(ids[i]) {
			usable = append(usable, name)
		}
	}
	slices.Sort(usable)

	for _, zone := range args.AvailabilityZones {
		if !slices.Contains(usable, zone) {
			return nil, fmt.Errorf("network.zones: %s; allowed: zones of this account that have %s: %s",
				zone, args.needs(), strings.Join(usable, ", "))
		}
	}
	switch {
	case len(args.AvailabilityZones) > 0:
		return args.AvailabilityZones, nil
	case len(usable) < Zones:
		return nil, fmt.Errorf("%d availability zones with %s in %s (%s), but a network needs %d; allowed: another "+
			"region, or network existing, with the tasks in a zone that has %[2]s",
			len(usable), args.needs(), args.Region, strings.Join(usable, ", "), Zones)
	}

	return usable[:Zones], nil
}
