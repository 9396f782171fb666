package pulumi

import (
	"bytes"
	"testing"
)

func TestTheReportKeepsEveryLineThatTellsSomething(t *testing.T) {
	var out bytes.Buffer
	writer := &quiet{out: &out}
	for _, part := range []string{
		"Updating (dev):\n\n@ upd", "ating....\n +  aws:ecs:Cluster web cre", "ated (1s)\n",
		" +  pulumi:pulumi:Stack dev creating warning: using pulumi-resource-aws from $PATH at /x\n",
		"error: update failed\n",
	} {
		if _, err := writer.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	want := "Updating (dev):\n +  aws:ecs:Cluster web created (1s)\nerror: update failed\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
