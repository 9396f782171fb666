package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// policy is an IAM policy document, as far as this package needs it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type policy struct {
	Version   string      `json:"Version"`
	Statement []statement `json:"Statement"`
}

type statement struct {
	Sid       string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal map[string]string            `json:"Principal,omitempty"`
	Action    []string                     `json:"Action"`
	Resource  []string                     `json:"Resource,omitempty"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}

func (p policy) render() (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(p)

	return strings.TrimSpace(text.String()), err
}

// trustPolicy lets ECS tasks take the role, and only for tasks of this account and region: another account's cluster
// cannot make ECS use it on its behalf.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
func trustPolicy(partition, region, account string) (string, error) {
	if partition == "" || region == "" || account == "" {
		return "", fmt.Errorf("partition %q, region %q, account %q; allowed: three names", partition, region, account)
	}

	return policy{Version: "2012-10-17", Statement: []statement{{
		Sid:       "TasksOfThisAccount",
		Effect:    "Allow",
		Principal: map[string]string{"Service": "ecs-tasks.amazonaws.com"},
		Action:    []string{"sts:AssumeRole"},
		Condition: map[string]map[string]string{
			"ArnLike":      {"aws:SourceArn": fmt.Sprintf("arn:%s:ecs:%s:%s:*", partition, region, account)},
			"StringEquals": {"aws:SourceAccount": account},
		},
	}}}.render()
}

// executionPolicy lets ECS pull from the given repositories and write to the given log groups, and nothing else. Log
// groups are made by the stack, so that they have a retention; ECS may not make any.
func executionPolicy(repositories, logGroups []string) (string, error) {
	var streams []string
	for _, group := range logGroups {
		if group == "" {
			return "", fmt.Errorf("log groups %q; allowed: names of existing groups", logGroups)
		}
		streams = append(streams, group+":log-stream:*")
	}

	p := policy{Version: "2012-10-17", Statement: []statement{{
		Sid:      "WriteLogs",
		Effect:   "Allow",
		Action:   []string{"logs:CreateLogStream", "logs:PutLogEvents"},
		Resource: sorted(streams),
	}}}

	if len(repositories) > 0 {
		p.Statement = append(p.Statement, statement{
			Sid:      "PullImages",
			Effect:   "Allow",
			Action:   []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
			Resource: sorted(repositories),
		}, statement{
			Sid:    "LogInToRegistry",
			Effect: "Allow",
			Action: []string{"ecr:GetAuthorizationToken"},
			// The one action here that knows no resources.
			// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
			Resource: []string{"*"},
		})
	}

	return p.render()
}

// sorted orders names and drops repetitions: both images may come from one repository.
func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
