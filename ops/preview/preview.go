// Package preview turns what the engine reports about a preview into a text for a pull request: first what a person has to
// know before merging it, then, folded, everything that changes. It is Markdown as GitHub shows it.
package preview

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// Report is what a preview of one stack found.
type Report struct {
	Stack   string
	Changes []Change
	// Errors are what stopped the preview, and Warnings what the program and the engine say beside it.
	Errors, Warnings []string
	// Estimates of the monthly cost, as the program words them. One of them is empty if there is none.
	CostBefore, CostAfter string
}

// Change is what happens to one resource.
type Change struct {
	Operation apitype.OpType
	Type      string // such as aws:lb/loadBalancer:LoadBalancer
	Name      string
	// Replaces are the properties because of which the resource is replaced.
	Replaces []string
	// Values that differ. Those of a new or deleted resource are all that it has.
	Values []Value
}

// Value is a property before and after, as text; an empty text means that there is none.
type Value struct{ Path, Before, After string }

const stackType = "pulumi:pulumi:Stack"

// operations that a person sees, and the words for them. A replacement is reported three times: as a whole, as what is created and
// as what is deleted; the first is enough.
var operations = map[apitype.OpType]string{
	apitype.OpCreate: "create", apitype.OpUpdate: "change", apitype.OpReplace: "replace", apitype.OpDelete: "delete",
	apitype.OpImport: "import", apitype.OpReadReplacement: "read again", apitype.OpRemovePendingReplace: "forget",
}

// Read makes a report of what the engine reports.
func Read(stack string, events []apitype.EngineEvent) Report {
	r := Report{Stack: stack}
	for _, event := range events {
		switch {
		case event.DiagnosticEvent != nil:
			r.hear(*event.DiagnosticEvent)
		case event.ResourcePreEvent != nil:
			r.see(event.ResourcePreEvent.Metadata)
		case event.ResOutputsEvent != nil && event.ResOutputsEvent.Metadata.Type == stackType:
			r.CostBefore, r.CostAfter = estimates(event.ResOutputsEvent.Metadata)
		}
	}
	slices.SortFunc(r.Changes, func(a, b Change) int { return strings.Compare(a.Type+a.Name, b.Type+b.Name) })

	return r
}

func (r *Report) hear(d apitype.DiagnosticEvent) {
	text := strings.TrimSpace(plain(d.Message))
	switch {
	case d.Ephemeral || text == "" || strings.HasPrefix(text, "using pulumi-"): // where the CLI has found a plugin
	case d.Severity == "error":
		r.Errors = append(r.Errors, wrapping.ReplaceAllString(text, ""))
	case d.Severity == "warning":
		r.Warnings = append(r.Warnings, text)
	}
}

// wrapping is what the SDK puts around the program's own error.
// https://github.com/pulumi/pulumi/blob/v3.230.0/sdk/go/pulumi/run.go
var wrapping = regexp.MustCompile(`^an unhandled error occurred: program failed:\s*(1 error occurred:\s*\* )?`)

// plain takes the marks for colours out of a text: <{%reset%}>.
func plain(text string) string {
	for {
		before, rest, found := strings.Cut(text, "<{%")
		_, after, closed := strings.Cut(rest, "%}>")
		if !found || !closed {
			return text
		}
		text = before + after
	}
}

func (r *Report) see(m apitype.StepEventMetadata) {
	if operations[m.Op] == "" || m.Type == stackType || strings.HasPrefix(m.Type, "pulumi:providers:") || isComponent(m) {
		return
	}
	r.Changes = append(r.Changes, Change{
		Operation: m.Op, Type: m.Type, Name: m.URN[strings.LastIndex(m.URN, "::")+2:], Replaces: m.Keys, Values: values(m),
	})
}

// isComponent tells groups of resources, which are nothing in AWS.
func isComponent(m apitype.StepEventMetadata) bool {
	state := m.New
	if state == nil {
		state = m.Old
	}

	return state != nil && !state.Custom
}

func estimates(m apitype.StepEventMetadata) (before, after string) {
	text := func(state *apitype.StepEventStateMetadata) string {
		if state == nil {
			return ""
		}
		estimate, _ := state.Outputs["monthlyEstimate"].(string)
		return estimate
	}

	return text(m.Old), text(m.New)
}

// Failed reports whether the preview was stopped by an error.
func (r Report) Failed() bool { return len(r.Errors) > 0 }

// Empty reports whether nothing would change.
func (r Report) Empty() bool { return !r.Failed() && len(r.Changes) == 0 }

// longest is how many characters GitHub takes in a comment; the text of several stacks goes into one.
// https://github.com/orgs/community/discussions/27190
const longest = 20_000

// Text is the report as Markdown.
func (r Report) Text() string {
	switch {
	case r.Failed():
		return fmt.Sprintf("### %s: the preview failed\n\n```\n%s\n```\n%s", r.Stack, strings.Join(r.Errors, "\n"), r.remedy())
	case r.Empty():
		return fmt.Sprintf("**%s**: no change\n", r.Stack)
	}

	var text strings.Builder
	fmt.Fprintf(&text, "### %s: %s\n\n", r.Stack, r.counts())
	for _, topic := range r.topics() {
		if len(topic.lines) > 0 {
			fmt.Fprintf(&text, "- **%s**\n", topic.title)
		}
		for _, line := range topic.lines {
			fmt.Fprintf(&text, "  - %s\n", line)
		}
	}
	fmt.Fprintf(&text, "\n<details><summary>All changes</summary>\n\n```diff\n%s```\n\n</details>\n", shortened(r.diff()))

	return text.String()
}

// remedy says which setting is behind an error of the engine that names none.
func (r Report) remedy() string {
	if !slices.ContainsFunc(r.Errors, func(e string) bool { return strings.Contains(e, "marked for protection") }) {
		return ""
	}

	return "\nWhat `deployment.deletionProtection` protects is neither replaced nor deleted until `false` has been deployed; " +
		"docs/deployments.md lists what a change replaces.\n"
}

// counts says in a line how many resources are created, changed, replaced and deleted.
func (r Report) counts() string {
	number := map[string]int{}
	for _, change := range r.Changes {
		number[operations[change.Operation]]++
	}
	var parts []string
	for _, word := range slices.Sorted(maps.Keys(number)) {
		parts = append(parts, fmt.Sprintf("%d to %s", number[word], word))
	}

	return strings.Join(parts, ", ")
}

func (r Report) diff() string {
	var text strings.Builder
	for _, c := range r.Changes {
		fmt.Fprintf(&text, "# %s %s %s\n", operations[c.Operation], c.Type, c.Name)
		if len(c.Replaces) > 0 {
			fmt.Fprintf(&text, "#   because of %s\n", strings.Join(c.Replaces, ", "))
		}
		for _, v := range c.Values {
			if v.Before != "" {
				fmt.Fprintf(&text, "- %s: %s\n", v.Path, v.Before)
			}
			if v.After != "" {
				fmt.Fprintf(&text, "+ %s: %s\n", v.Path, v.After)
			}
		}
	}

	return text.String()
}

func shortened(diff string) string {
	if len(diff) <= longest {
		return diff
	}
	cut := diff[:strings.LastIndexByte(diff[:longest], '\n')+1]

	return cut + fmt.Sprintf("# and %d lines that do not fit into a comment: pulumi preview --diff shows them\n", strings.Count(diff[len(cut):], "\n"))
}
