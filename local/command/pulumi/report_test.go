package pulumi

import (
	"bytes"
	"strings"
	"testing"
)

// printed is what the CLI prints of an update whose preview warns, and which fails.
const printed = `Previewing update (dev):
@ previewing update....
 +  pulumi:pulumi:Stack shop-dev create warning: using pulumi-resource-aws from $PATH at /x
 +  aws:ecs:Cluster web create
 ~  aws:ecs:Service web update [diff: ~taskDefinition]
Diagnostics:
  pulumi:pulumi:Stack (shop-dev):
    warning: using pulumi-resource-aws from $PATH at /x
    warning: only in the preview

Resources:
    + 94 to create
    ~ 1 to update
    95 changes. 2 unchanged

Updating (dev):
 +  aws:ecs:Cluster web creating (0s)
 +  aws:ecs:Cluster web created (1s)
 ~  aws:ecs:Service web updating (1s)
Diagnostics:
  pulumi:pulumi:Stack (shop-dev):
    warning: using pulumi-resource-aws from $PATH at /x
    error: update failed

  docker:index:Image (web-app):
    error: docker build: exit status 1; its last lines:
    #5 the reason

Resources:
    + 1 created
    ~ 1 updated
    2 changes. 2 unchanged

Duration: 3s
`

func TestAReportKeepsWhatAPersonReads(t *testing.T) {
	var out bytes.Buffer
	var statuses []string
	r := &report{out: &out, status: func(status string) { statuses = append(statuses, status) }}
	for part := range strings.SplitAfterSeq(printed, "e") { // in pieces that do not end with a line
		if _, err := r.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != printed {
		t.Errorf("the log lacks something: %s", out.String())
	}
	want := "0 of 95, aws:ecs:Cluster web creating|1 of 95, aws:ecs:Cluster web created|1 of 95, aws:ecs:Service web updating"
	if got := strings.Join(statuses, "|"); got != want {
		t.Errorf("statuses %s; want %s", got, want)
	}
	if got, want := strings.Join(r.summary, ", "), "1 created, 1 updated, 2 unchanged"; got != want {
		t.Errorf("summary %q; want %q", got, want)
	}
	want = "  docker:index:Image (web-app):\n    error: docker build: exit status 1; its last lines:\n    #5 the reason"
	if got := r.explanation(); got != want {
		t.Errorf("explanation\n%s\nwant\n%s", got, want)
	}
}
