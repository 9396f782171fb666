package existing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// vpcRange is the range of the stand-in for a VPC. Its subnets have a /24 each.
const vpcRange = "10.0.0.0/16"

var vpcID = regexp.MustCompile(`^vpc-([0-9a-f]{8}|[0-9a-f]{17})$`)

// ec2 calls an action of EC2. Its typed client takes longer to compile than all else of the local run.
func (p *provision) ec2(ctx context.Context, action string, form url.Values, output any) error {
	return p.caller.Query(ctx, "ec2", "2016-11-15", action, form, output)
}

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html
func (p *provision) vpc() kind {
	return kind{
		id: vpcID,
		find: func(ctx context.Context, id string) error {
			return p.ec2(ctx, "DescribeVpcs", url.Values{"VpcId.1": {id}}, &struct{}{})
		},
		make: func(ctx context.Context, _ string, _ int) (string, error) {
			var made struct {
				ID string `xml:"vpc>vpcId"`
			}
			err := p.ec2(ctx, "CreateVpc", url.Values{"CidrBlock": {vpcRange}}, &made)
			return made.ID, err
		},
	}
}

// subnet is one of a list, in which each is in another zone, as long as there are zones.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html
func (p *provision) subnet() kind {
	const prefix = "subnet-"
	return kind{
		id:   regexp.MustCompile(`^` + prefix + `([0-9a-f]{8}|[0-9a-f]{17})$`),
		fits: p.inVPC,
		find: func(ctx context.Context, id string) error {
			return p.ec2(ctx, "DescribeSubnets", url.Values{"SubnetId.1": {id}}, &struct{}{})
		},
		make: func(ctx context.Context, _ string, position int) (string, error) {
			var zones struct {
				Names []string `xml:"availabilityZoneInfo>item>zoneName"`
			}
			if err := p.ec2(ctx, "DescribeAvailabilityZones", nil, &zones); err != nil {
				return "", err
			}
			before := 0
			for id := range p.standIns {
				if strings.HasPrefix(id, prefix) {
					before++
				}
			}
			var made struct {
				ID string `xml:"subnet>subnetId"`
			}
			err := p.ec2(ctx, "CreateSubnet", url.Values{
				"VpcId":            {p.text(vpc)},
				"CidrBlock":        {fmt.Sprintf("10.0.%d.0/24", before)},
				"AvailabilityZone": {zones.Names[position%len(zones.Names)]},
			}, &made)
			return made.ID, err
		},
	}
}

// securityGroup is a database's, say. Without an existing VPC, it is in the account's default one.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
func (p *provision) securityGroup() kind {
	return kind{
		id: regexp.MustCompile(`^sg-([0-9a-f]{8}|[0-9a-f]{17})$`),
		find: func(ctx context.Context, id string) error {
			return p.ec2(ctx, "DescribeSecurityGroups", url.Values{"GroupId.1": {id}}, &struct{}{})
		},
		make: func(ctx context.Context, id string, _ int) (string, error) { return p.makeGroup(ctx, "stands for "+id) },
	}
}

// inVPC says whether the settings name a VPC.
func (p *provision) inVPC() bool { return vpcID.MatchString(p.text(vpc)) }

func (p *provision) makeGroup(ctx context.Context, description string) (string, error) {
	form := url.Values{"GroupName": {unique()}, "GroupDescription": {description}}
	if p.inVPC() {
		form.Set("VpcId", p.text(vpc))
	}
	var made struct {
		ID string `xml:"groupId"`
	}
	err := p.ec2(ctx, "CreateSecurityGroup", form, &made)
	return made.ID, err
}

// prefixList is empty: the load balancer of a local run admits every client of this machine.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateManagedPrefixList.html
func (p *provision) prefixList() kind {
	return kind{
		id: regexp.MustCompile(`^pl-([0-9a-f]{8}|[0-9a-f]{17})$`),
		find: func(ctx context.Context, id string) error {
			var found struct {
				IDs []string `xml:"prefixListSet>item>prefixListId"`
			}
			err := p.ec2(ctx, "DescribeManagedPrefixLists", url.Values{"PrefixListId.1": {id}}, &found)
			if err == nil && len(found.IDs) == 0 { // AWS refuses; the emulator answers with none
				return &emulator.Refusal{Action: "DescribeManagedPrefixLists", Status: http.StatusBadRequest, Code: "InvalidPrefixListID.NotFound"}
			}
			return err
		},
		make: func(ctx context.Context, _ string, _ int) (string, error) {
			var made struct {
				ID string `xml:"prefixList>prefixListId"`
			}
			err := p.ec2(ctx, "CreateManagedPrefixList", url.Values{
				"PrefixListName": {unique()}, "AddressFamily": {"IPv4"}, "MaxEntries": {"1"},
			}, &made)
			return made.ID, err
		},
	}
}

// listener is the one that a stack with `ingress: shared` adds its rules to, with a load balancer as the stack's settings
// describe it. Requests that are for no stack get 404.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
func (p *provision) listener() kind {
	return kind{
		id:   p.arn("elasticloadbalancing", `[0-9]{12}`, `listener/app/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}/[0-9a-f]{16}`),
		fits: func() bool { return p.inVPC() && len(p.texts(publicSubnets)) > 0 },
		find: func(ctx context.Context, id string) error {
			_, err := p.balancers.DescribeListeners(ctx, &elb.DescribeListenersInput{ListenerArns: []string{id}})
			var missing *types.ListenerNotFoundException
			if errors.As(err, &missing) {
				return &emulator.Refusal{Action: "DescribeListeners", Code: missing.ErrorCode()}
			}
			return err
		},
		make: func(ctx context.Context, _ string, _ int) (string, error) {
			balancer, err := p.makeBalancer(ctx)
			if err != nil {
				return "", err
			}
			certificate, err := p.makeCertificate(ctx)
			if err != nil {
				return "", err
			}
			made, err := p.balancers.CreateListener(ctx, &elb.CreateListenerInput{
				LoadBalancerArn: &balancer, Protocol: types.ProtocolEnumHttps, Port: aws.Int32(443),
				Certificates: []types.Certificate{{CertificateArn: &certificate}},
				DefaultActions: []types.Action{{
					Type:                types.ActionTypeEnumFixedResponse,
					FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404"), ContentType: aws.String("text/plain"), MessageBody: aws.String("no stack is for this request")},
				}},
			})
			if err != nil {
				return "", err
			}
			return aws.ToString(made.Listeners[0].ListenerArn), nil
		},
	}
}

// makeBalancer makes a load balancer with the network and the idle timeout that the settings say it has.
func (p *provision) makeBalancer(ctx context.Context) (arn string, err error) {
	group, err := p.makeGroup(ctx, "stands for that of a shared load balancer")
	if err != nil {
		return "", err
	}
	made, err := p.balancers.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
		Name: aws.String(unique()), Subnets: p.texts(publicSubnets), SecurityGroups: []string{group},
	})
	if err != nil {
		return "", err
	}
	arn = aws.ToString(made.LoadBalancers[0].LoadBalancerArn)
	duration, err := time.ParseDuration(p.text("ingress.idleTimeout"))
	if err != nil {
		return arn, nil //nolint:nilerr // not set, or the program refuses it
	}
	idle := strconv.Itoa(int(duration.Seconds()))
	_, err = p.balancers.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerArn: &arn,
		Attributes:      []types.LoadBalancerAttribute{{Key: aws.String("idle_timeout.timeout_seconds"), Value: &idle}},
	})
	return arn, err
}

// arn is the form of an ARN in the run's region, or in none. The program refuses those of others.
func (p *provision) arn(service, account, resource string) *regexp.Regexp {
	region := regexp.QuoteMeta(p.caller.Region)
	if service == "iam" {
		region = ""
	}
	return regexp.MustCompile(`^arn:aws[a-z-]*:` + service + `:` + region + `:` + account + `:` + resource + `$`)
}

// unique is a name that nothing has yet: a run that was interrupted may have made things that it did not write down.
func unique() string { return "existing-" + strings.ToLower(rand.Text()[:8]) }
