package preview

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// topic is one of the things that a person has to know before merging.
type topic struct {
	title string
	lines []string
}

func (r Report) topics() []topic {
	return []topic{
		{"Deleted or replaced", r.gone()},
		{"Reachable from outside", r.exposed()},
		{"Clients may notice", r.noticed()},
		{"Security controls", r.controls()},
		{"Cost", r.cost()},
		{"Tasks", r.tasks()},
		{"Warnings", r.Warnings},
	}
}

// Types of resources that this package treats one by one.
const (
	taskDefinition = "aws:ecs/taskDefinition:TaskDefinition"
	service        = "aws:ecs/service:Service"
	loadBalancer   = "aws:lb/loadBalancer:LoadBalancer"
	listener       = "aws:lb/listener:Listener"
	securityGroup  = "aws:ec2/securityGroup:SecurityGroup"
	ingressRule    = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	publicBlock    = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	api            = "aws:apigatewayv2/api:Api"
	dnsRecord      = "aws:route53/record:Record"
)

// ordinary resources are replaced or deleted with every deployment, which loses nothing.
var ordinary = []string{
	taskDefinition,
	"aws:ecr/lifecyclePolicy:LifecyclePolicy", // AWS has no other way to change one
	"aws:ssm/parameter:Parameter",             // the content of an image, remembered for its tag
	"docker:index/image:Image",
}

func (r Report) gone() (lines []string) {
	for _, c := range r.Changes {
		if slices.Contains(ordinary, c.Type) {
			continue
		}
		switch c.Operation {
		case apitype.OpDelete:
			lines = append(lines, fmt.Sprintf("deleted: %s", c.title()))
		case apitype.OpReplace:
			lines = append(lines, fmt.Sprintf("replaced: %s, because of %s", c.title(), strings.Join(c.Replaces, ", ")))
		}
	}

	return lines
}

// title names a resource for a person: aws:lb/loadBalancer:LoadBalancer web is "LoadBalancer web".
func (c Change) title() string {
	return c.Type[strings.LastIndexByte(c.Type, ':')+1:] + " `" + c.Name + "`"
}

func (c Change) isNew() bool { return c.Operation == apitype.OpCreate }

// isRemoved is true of a resource that no other one replaces.
func (c Change) isRemoved() bool { return c.Operation == apitype.OpDelete }

// becomes returns the values below a path that a change sets.
func (c Change) becomes(path string) (values []Value) {
	for _, v := range c.Values {
		if v.Path == path || strings.HasPrefix(v.Path, path+".") || strings.HasPrefix(v.Path, path+"[") {
			values = append(values, v)
		}
	}

	return values
}

func (r Report) exposed() (lines []string) {
	for _, c := range r.Changes {
		if c.isRemoved() {
			continue
		}
		for _, v := range c.Values {
			if v.After == "0.0.0.0/0" || v.After == "::/0" {
				if c.Type == ingressRule || c.Type == securityGroup && strings.HasPrefix(v.Path, "ingress") {
					lines = append(lines, fmt.Sprintf("%s admits every address (%s)%s", c.title(), v.After, c.ports()))
				}
			}
			switch {
			case c.Type == loadBalancer && v.Path == "internal" && v.Before == "true":
				lines = append(lines, c.title()+" gets public addresses")
			case c.Type == service && strings.HasSuffix(v.Path, "assignPublicIp") && v.After == "true" && v.Before != "true":
				lines = append(lines, "tasks get public addresses; their security group decides who reaches them")
			case c.Type == publicBlock && v.After == "false":
				lines = append(lines, fmt.Sprintf("%s: %s is off", c.title(), v.Path))
			}
		}
		if c.Type == api && c.isNew() {
			lines = append(lines, c.title()+" is new, and every address reaches it")
		}
	}

	return lines
}

func (c Change) ports() string {
	for _, v := range c.becomes("fromPort") {
		return ", port " + v.After
	}

	return ""
}

// noticed are changes during which requests fail, take another way or find fewer tasks.
func (r Report) noticed() (lines []string) {
	for _, c := range r.Changes {
		switch c.Type {
		case loadBalancer, api:
			if c.Operation == apitype.OpReplace || c.isRemoved() {
				lines = append(lines, c.title()+": its address goes; without a domain clients need the new one, and with one requests fail until resolvers have it, about a minute")
			}
		case listener, dnsRecord:
			if c.isRemoved() {
				lines = append(lines, c.title()+" is deleted: what it answered is not answered any more")
			}
		case service:
			lines = append(lines, c.fewerTasks()...)
		}
	}

	return lines
}

func (c Change) fewerTasks() (lines []string) {
	if c.isRemoved() {
		return []string{c.title() + " is deleted with all its tasks"}
	}
	for _, v := range c.Values {
		after, err := strconv.Atoi(v.After)
		if err != nil || v.Before == "" {
			continue
		}
		switch {
		case v.Path == "desiredCount" && after == 0:
			lines = append(lines, c.title()+" runs no task any more")
		case v.Path == "deploymentMinimumHealthyPercent" && after < 100:
			lines = append(lines, fmt.Sprintf("%s: a deployment may leave %d %% of the tasks", c.title(), after))
		}
	}

	return lines
}

// control is a property that a control of docs/security.md is about.
type control struct{ id, typ, property string }

var controls = []control{
	{"ECS.2", service, "networkConfiguration.assignPublicIp"},
	{"ECS.12", "aws:ecs/cluster:Cluster", "settings"},
	{"ELB.1", listener, "defaultActions"},
	{"ELB.4", loadBalancer, "dropInvalidHeaderFields"},
	{"ELB.5", loadBalancer, "accessLogs"},
	{"ELB.6", loadBalancer, "enableDeletionProtection"},
	{"ELB.12", loadBalancer, "desyncMitigationMode"},
	{"ELB.16", "aws:wafv2/webAclAssociation:WebAclAssociation", ""},
	{"ELB.17", listener, "sslPolicy"},
	{"ELB.18", listener, "protocol"},
	{"ELB.22", "aws:lb/targetGroup:TargetGroup", "protocol"},
	{"ECR.1", "aws:ecr/repository:Repository", "imageScanningConfiguration"},
	{"ECR.2", "aws:ecr/repository:Repository", "imageTagMutability"},
	{"ECR.5", "aws:ecr/repository:Repository", "encryptionConfigurations"},
	{"EC2.6", "aws:ec2/flowLog:FlowLog", ""},
	{"EC2.18", ingressRule, ""},
	{"EC2.18", securityGroup, "ingress"},
	{"WAF.10", "aws:wafv2/webAcl:WebAcl", "rules"},
	{"WAF.11", "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", ""},
	{"CloudWatch.16", "aws:cloudwatch/logGroup:LogGroup", "retentionInDays"},
	{"IAM.1", "aws:iam/rolePolicy:RolePolicy", "policy"},
	{"IAM.1", "aws:iam/rolePolicyAttachment:RolePolicyAttachment", ""},
	{"IAM.1", "aws:iam/role:Role", "assumeRolePolicy"},
}

// inContainers are controls about the containers of a task, by the ends of paths in their definitions.
var inContainers = map[string]string{
	"readonlyRootFilesystem": "ECS.5", "privileged": "ECS.4", "user": "ECS.20", "logConfiguration.logDriver": "ECS.9",
}

// controls lists what changes about them in a stack that exists. All of a new stack is new; docs/security.md says what holds there.
func (r Report) controls() (lines []string) {
	for _, c := range r.Changes {
		for _, control := range controls {
			if control.typ == c.Type {
				lines = append(lines, control.lines(c)...)
			}
		}
		if c.Type != taskDefinition || c.isNew() {
			continue
		}
		for _, v := range c.Values {
			for end, id := range inContainers {
				if strings.HasSuffix(v.Path, "]."+end) && v.Before != "" {
					lines = append(lines, fmt.Sprintf("%s: %s: %s", id, v.Path, v.step()))
				}
			}
		}
	}
	slices.Sort(lines)

	return lines
}

func (control control) lines(c Change) (lines []string) {
	if control.property == "" {
		if word := operations[c.Operation]; c.Operation != apitype.OpUpdate {
			return []string{fmt.Sprintf("%s: %s: %s", control.id, c.title(), word)}
		}
	}
	if c.isNew() || c.isRemoved() {
		return nil // a deleted resource is listed as such
	}
	for _, v := range c.becomes(control.property) {
		if strings.Contains(v.Path, ".forward.") {
			continue // to which tasks, which no control is about
		}
		lines = append(lines, fmt.Sprintf("%s: %s: %s: %s", control.id, c.title(), v.Path, v.step()))
	}
	if control.property == "" {
		for _, v := range c.Values {
			lines = append(lines, fmt.Sprintf("%s: %s: %s: %s", control.id, c.title(), v.Path, v.step()))
		}
	}

	return lines
}

// step is a value before and after.
func (v Value) step() string {
	side := func(text string) string {
		if text == "" {
			return "none"
		}
		return "`" + text + "`"
	}

	return side(v.Before) + " → " + side(v.After)
}

var dollars = regexp.MustCompile(`about (\d+) USD a month`)

// cost compares the program's own estimates.
func (r Report) cost() []string {
	before, after := dollars.FindStringSubmatch(r.CostBefore), dollars.FindStringSubmatch(r.CostAfter)
	switch {
	case after == nil || before != nil && before[1] == after[1]:
		return nil
	case before == nil:
		return []string{r.CostAfter}
	}
	old, _ := strconv.Atoi(before[1])
	now, _ := strconv.Atoi(after[1])

	rest := r.CostAfter[strings.Index(r.CostAfter, after[0])+len(after[0]):]

	return []string{fmt.Sprintf("%d → %d USD a month (%+d)%s", old, now, now-old, rest)}
}

// imagePath matches the image of a container in a task definition.
var imagePath = regexp.MustCompile(`^containerDefinitions\[([^\]]+)\]\.image$`)

// tasks are what changes in the containers, image by image and by the names of the other properties.
func (r Report) tasks() (lines []string) {
	for _, c := range r.Changes {
		if c.Type != taskDefinition || c.isNew() {
			continue
		}
		if c.Operation == apitype.OpDelete {
			lines = append(lines, c.title()+" goes")
			continue
		}
		var others []string
		for _, v := range c.Values {
			if container := imagePath.FindStringSubmatch(v.Path); container != nil {
				lines = append(lines, fmt.Sprintf("%s: image of %s: %s", c.title(), container[1], v.step()))
			} else {
				others = append(others, "`"+v.Path+"`")
			}
		}
		if len(others) > 0 {
			lines = append(lines, fmt.Sprintf("%s: %s", c.title(), strings.Join(others[:min(len(others), mostNamed)], ", ")+more(len(others)-mostNamed)))
		}
	}

	return lines
}

// mostNamed is how many properties a line names.
const mostNamed = 8

func more(number int) string {
	if number <= 0 {
		return ""
	}

	return fmt.Sprintf(" and %d more", number)
}

// Beyond lists the changes that do not follow from other images in the tasks: a promotion and a rollback change nothing else.
func (r Report) Beyond() (lines []string) {
	for _, c := range r.Changes {
		followed := false
		switch c.Type {
		case taskDefinition:
			followed = c.Operation == apitype.OpReplace && !slices.ContainsFunc(c.Values, func(v Value) bool {
				return imagePath.FindStringSubmatch(v.Path) == nil && !isRendered(v)
			})
		case service:
			followed = c.Operation == apitype.OpUpdate && !slices.ContainsFunc(c.Values, func(v Value) bool { return v.Path != "taskDefinition" })
		case "aws:iam/rolePolicy:RolePolicy": // the repositories from which the tasks pull
			followed = c.Operation == apitype.OpUpdate && !slices.ContainsFunc(c.Values, func(v Value) bool { return !strings.Contains(v.After+v.Before, ":repository/") })
		case "aws:ecr/lifecyclePolicy:LifecyclePolicy": // which image it protects
			followed = true
		default: // what waits for the tasks that run, and then keeps its values
			followed = c.Operation == apitype.OpUpdate && !slices.ContainsFunc(c.Values, func(v Value) bool { return v.After != later })
		}
		if !followed {
			lines = append(lines, operations[c.Operation]+" "+c.title())
		}
	}

	return lines
}

// isRendered is true of the containers as a whole, when the preview does not know them.
func isRendered(v Value) bool { return v.Path == "containerDefinitions" && v.After == later }
