package preview

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// recorded reads events that the engine reported about previews of stacks in the local run, shortened to what changes.
func recorded(t *testing.T, name string) Report {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var events []apitype.EngineEvent
	for line := range bytes.Lines(content) {
		var event apitype.EngineEvent
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}

	return Read("prod", events)
}

func TestATextBeginsWithWhatAPersonHasToKnow(t *testing.T) {
	text := recorded(t, "task").Text()
	want := "### prod: 1 to change, 3 to replace\n\n" +
		"- **Cost**\n" +
		"  - 49 → 67 USD a month (+18) at list prices of March 2026 in us-east-1, without traffic, data and logs; an estimate, not a bill: see docs/cost.md\n" +
		"- **Tasks**\n" +
		"  - TaskDefinition `web`: `cpu`, `memory`\n\n" +
		"<details><summary>All changes</summary>\n\n```diff\n"
	if !strings.HasPrefix(text, want) {
		t.Errorf("got:\n%s\nwant it to begin with:\n%s", text, want)
	}
	for _, line := range []string{"\n- cpu: 256\n+ cpu: 512\n", "\n# replace aws:ecs/taskDefinition:TaskDefinition web\n#   because of cpu, memory\n", "+ taskDefinition: (known after the update)\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("the diff lacks %q", line)
		}
	}
}

func TestWhatGoesAndWhichControlsChangeIsSaid(t *testing.T) {
	head, _, _ := strings.Cut(recorded(t, "security").Text(), "<details>")
	for _, line := range []string{
		"deleted: WebAcl `web`", "replaced: TargetGroup `web-tg`, because of protocol",
		"Service `web`: a deployment may leave 50 % of the tasks",
		"ELB.16: WebAclAssociation `web`: delete", "ELB.22: TargetGroup `web-tg`: protocol: `HTTPS` → `HTTP`",
		"CloudWatch.16: LogGroup `web-app`: retentionInDays: `14` → `7`", "110 → 101 USD a month (-9)",
	} {
		if !strings.Contains(head, "  - "+line) {
			t.Errorf("missing: %s\nin:\n%s", line, head)
		}
	}
	for _, noise := range []string{"TaskDefinition `web`, because", "targetgroup/", "using pulumi-"} {
		if strings.Contains(head, noise) {
			t.Errorf("the head has %q", noise)
		}
	}
}

func TestAWrongSettingIsAllThatATextHas(t *testing.T) {
	r := recorded(t, "wrong")
	want := "### prod: the preview failed\n\n```\nconfiguration of stack dev:\ncpu: 300; allowed: 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units (Fargate sizes)\n```\n"
	if text := r.Text(); text != want || !r.Failed() {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
}

func TestAnErrorOfTheEngineNamesTheSetting(t *testing.T) {
	protected := Report{Stack: "prod", Errors: []string{`unable to replace resource "web"` + "\nas it is currently marked for protection."}}
	if text := protected.Text(); !strings.Contains(text, "until `false` has been deployed") || !strings.Contains(text, "deployment.deletionProtection") {
		t.Errorf("got:\n%s", text)
	}
}

func TestNoChangeIsOneLine(t *testing.T) {
	r := Read("prod", []apitype.EngineEvent{step(apitype.OpSame, service, "web", nil, nil), step(apitype.OpRefresh, service, "web", map[string]any{"desiredCount": 2}, map[string]any{"desiredCount": 4})})
	if text := r.Text(); text != "**prod**: no change\n" {
		t.Errorf("got %q", text)
	}
}

// step is an event about one resource.
func step(op apitype.OpType, typ, name string, before, after map[string]any) apitype.EngineEvent {
	state := func(inputs map[string]any) *apitype.StepEventStateMetadata {
		if inputs == nil {
			return nil
		}
		return &apitype.StepEventStateMetadata{Type: typ, Custom: true, Inputs: inputs}
	}

	return apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: apitype.StepEventMetadata{
		Op: op, Type: typ, URN: "urn:pulumi:prod::shop::" + typ + "::" + name, Old: state(before), New: state(after),
	}}}
}

func TestWhatBecomesReachableFromOutsideIsSaid(t *testing.T) {
	text := Read("prod", []apitype.EngineEvent{
		step(apitype.OpCreate, ingressRule, "web-443", nil, map[string]any{"cidrIpv4": "0.0.0.0/0", "fromPort": 443}),
		step(apitype.OpCreate, ingressRule, "web-tasks", nil, map[string]any{"referencedSecurityGroupId": "sg-1", "fromPort": 8080}),
		step(apitype.OpUpdate, service, "web", map[string]any{"networkConfiguration": map[string]any{"assignPublicIp": false}, "desiredCount": 2}, map[string]any{"networkConfiguration": map[string]any{"assignPublicIp": true}, "desiredCount": 0}),
		step(apitype.OpReplace, loadBalancer, "web-lb", map[string]any{"internal": true, "enableDeletionProtection": true}, map[string]any{"internal": false, "enableDeletionProtection": false}),
		step(apitype.OpDelete, ingressRule, "web-80", map[string]any{"cidrIpv4": "0.0.0.0/0"}, nil),
	}).Text()
	head, _, _ := strings.Cut(text, "<details>")
	for _, line := range []string{
		"SecurityGroupIngressRule `web-443` admits every address (0.0.0.0/0), port 443", "tasks get public addresses", "LoadBalancer `web-lb` gets public addresses",
		"ECS.2: Service `web`", "EC2.18: SecurityGroupIngressRule `web-443`: create", "ELB.6: LoadBalancer `web-lb`: enableDeletionProtection: `true` → `false`",
		"Service `web` runs no task any more", "LoadBalancer `web-lb`: its address goes",
	} {
		if !strings.Contains(head, line) {
			t.Errorf("missing: %s\nin:\n%s", line, head)
		}
	}
	if strings.Contains(head, "web-tasks` admits") || strings.Contains(head, "web-80` admits") {
		t.Errorf("a closed rule counts as open:\n%s", head)
	}
}

const containers = `[{"name":"nginx","image":"n@sha256:1","user":"101"},{"name":"app","image":"APP","environment":[{"name":"A","value":"1"},{"name":"LEVEL","value":"VALUE"}]}]`

func definition(app, level string) map[string]any {
	return map[string]any{"containerDefinitions": strings.NewReplacer("APP", app, "VALUE", level).Replace(containers)}
}

// A promotion and a rollback deploy other images without a question, and nothing that happens to wait beside them.
func TestWhatDoesNotFollowFromImagesIsFound(t *testing.T) {
	image := step(apitype.OpReplace, taskDefinition, "web", definition("a@sha256:1", "info"), definition("a@sha256:2", "info"))
	rollout := step(apitype.OpUpdate, service, "web", map[string]any{"taskDefinition": "web:1"}, map[string]any{"taskDefinition": unknown})
	for name, c := range map[string]struct {
		others []apitype.EngineEvent
		want   string
	}{
		"nothing else":             {nil, ""},
		"a variable":               {[]apitype.EngineEvent{step(apitype.OpReplace, taskDefinition, "web", definition("a@sha256:1", "info"), definition("a@sha256:2", "debug"))}, "replace TaskDefinition `web`"},
		"the number of tasks":      {[]apitype.EngineEvent{step(apitype.OpUpdate, service, "web", map[string]any{"desiredCount": 1}, map[string]any{"desiredCount": 2})}, "change Service `web`"},
		"an open port":             {[]apitype.EngineEvent{step(apitype.OpCreate, ingressRule, "web-443", nil, map[string]any{"cidrIpv4": "0.0.0.0/0"})}, "create SecurityGroupIngressRule `web-443`"},
		"a policy of repositories": {[]apitype.EngineEvent{step(apitype.OpUpdate, "aws:iam/rolePolicy:RolePolicy", "web-execution", map[string]any{"policy": `{"Statement":[{"Resource":["arn:aws:ecr:x:1:repository/a"]}]}`}, map[string]any{"policy": `{"Statement":[{"Resource":["arn:aws:ecr:x:1:repository/b"]}]}`})}, ""},
		"another policy":           {[]apitype.EngineEvent{step(apitype.OpUpdate, "aws:iam/rolePolicy:RolePolicy", "web-execution", map[string]any{"policy": `{"Statement":[{"Action":["s3:GetObject"]}]}`}, map[string]any{"policy": `{"Statement":[{"Action":["s3:*"]}]}`})}, "change RolePolicy `web-execution`"},
	} {
		r := Read("prod", append([]apitype.EngineEvent{image, rollout}, c.others...))
		if got := strings.Join(r.Beyond(), "; "); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
		if head := r.Text(); !strings.Contains(head, "image of app: `a@sha256:1` → `a@sha256:2`") {
			t.Errorf("%s: the image is not named:\n%s", name, head)
		}
	}
}

func TestALongDiffFitsIntoAComment(t *testing.T) {
	var events []apitype.EngineEvent
	for range 500 {
		events = append(events, step(apitype.OpCreate, "aws:s3/bucketV2:BucketV2", "web", nil, map[string]any{"name": strings.Repeat("ü", 100)}))
	}
	text := Read("prod", events).Text()
	if len(text) > longest+1_000 || !regexp.MustCompile(`# and \d+ lines that do not fit`).MatchString(text) || !strings.HasSuffix(text, "```\n\n</details>\n") {
		t.Errorf("%d characters, which end with %q", len(text), text[len(text)-200:])
	}
}

func TestEveryControlIsOneOfTheDocument(t *testing.T) {
	document, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, control := range controls {
		ids = append(ids, control.id)
	}
	for _, id := range inContainers {
		ids = append(ids, id)
	}
	for _, id := range ids {
		if !strings.Contains(string(document), "["+id+"]") {
			t.Errorf("docs/security.md has no control %s", id)
		}
	}
}
