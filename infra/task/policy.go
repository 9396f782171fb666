package service

import (
	"fmt"
	"slices"

	"fargate-nginx-sidecar/infra/policy"
)

// trustPolicy lets ECS assume the role, but only for tasks of this account and region, so that a cluster in another
// account cannot make ECS use it.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
func trustPolicy(partition, region, account string) (string, error) {
	if partition == "" || region == "" || account == "" {
		return "", fmt.Errorf("partition %q, region %q, account %q; allowed: three names", partition, region, account)
	}

	return policy.Render(policy.Statement{
		Sid:       "TasksOfThisAccount",
		Effect:    "Allow",
		Principal: map[string]string{"Service": "ecs-tasks.amazonaws.com"},
		Action:    []string{"sts:AssumeRole"},
		Condition: map[string]map[string]string{
			"ArnLike":      {"aws:SourceArn": fmt.Sprintf("arn:%s:ecs:%s:%s:*", partition, region, account)},
			"StringEquals": {"aws:SourceAccount": account},
		},
	})
}

// secretRights are the ARNs of the parameters and secrets that ECS reads when it starts a task, and of the key that may
// have encrypted them.
type secretRights struct {
	parameters, secrets []string
	key                 string
}

// agentRepository holds the agent of GuardDuty's Runtime Monitoring. It belongs to an AWS account that differs from
// region to region. If an account has Runtime Monitoring on, AWS adds the agent to each task, and ECS pulls it like the
// other images, with the execution role. The stack cannot know whether Runtime Monitoring is on, so the role always has
// the right. Nothing else uses it: in the stack's task definitions, only AWS's agent comes from a repository of this name.
// https://docs.aws.amazon.com/guardduty/latest/ug/prereq-runtime-monitoring-ecs-support.html
// https://docs.aws.amazon.com/guardduty/latest/ug/ecs-runtime-agent-ecr-image-uri.html
func agentRepository(partition, region string) string {
	return fmt.Sprintf("arn:%s:ecr:%s:*:repository/aws-guardduty-agent-fargate", partition, region)
}

// executionPolicy lets ECS pull AWS's agent and from the given repositories, write to the given log groups and read the
// given secrets, and nothing else. ECS may not create log groups, because the stack declares them together with their
// retention.
func executionPolicy(agent string, repositories, logGroups []string, read secretRights) (string, error) {
	var streams []string
	for _, group := range logGroups {
		if group == "" {
			return "", fmt.Errorf("log groups %q; allowed: names of existing groups", logGroups)
		}
		streams = append(streams, group+":log-stream:*")
	}

	statements := []policy.Statement{{
		Sid:      "WriteLogs",
		Effect:   "Allow",
		Action:   []string{"logs:CreateLogStream", "logs:PutLogEvents"},
		Resource: sorted(streams),
	}}

	pull := []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
	if len(repositories) > 0 {
		statements = append(statements, policy.Statement{
			Sid: "PullImages", Effect: "Allow", Action: pull, Resource: sorted(repositories),
		})
	}
	statements = append(statements, policy.Statement{
		Sid: "PullGuardDutyAgent", Effect: "Allow", Action: pull, Resource: []string{agent},
	}, policy.Statement{
		Sid:    "LogInToRegistry",
		Effect: "Allow",
		Action: []string{"ecr:GetAuthorizationToken"},
		// The only action here that cannot be limited to resources.
		// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
		Resource: []string{"*"},
	})

	statements = append(statements, read.statements()...)

	return policy.Render(statements...)
}

func (r secretRights) statements() []policy.Statement {
	var all []policy.Statement
	if len(r.parameters) > 0 {
		all = append(all, policy.Statement{
			Sid: "ReadParameters", Effect: "Allow", Action: []string{"ssm:GetParameters"}, Resource: sorted(r.parameters),
		})
	}
	if len(r.secrets) > 0 {
		all = append(all, policy.Statement{
			Sid: "ReadSecrets", Effect: "Allow", Action: []string{"secretsmanager:GetSecretValue"}, Resource: sorted(r.secrets),
		})
	}
	// Values that are encrypted with AWS's own keys need no further right.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html#task-execution-secrets
	if len(all) > 0 && r.key != "" {
		all = append(all, policy.Statement{
			Sid: "DecryptThem", Effect: "Allow", Action: []string{"kms:Decrypt"}, Resource: []string{r.key},
		})
	}

	return all
}

// execPolicy lets the agent of ECS Exec talk to Systems Manager. These actions cannot be limited to resources.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonmessagegatewayservice.html
func execPolicy() (string, error) {
	return policy.Render(policy.Statement{
		Sid:    "OpenSessions",
		Effect: "Allow",
		Action: []string{
			"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
		},
		Resource: []string{"*"},
	})
}

// sorted sorts names and drops repetitions: both images may come from the same repository.
func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
