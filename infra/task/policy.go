package task

import (
	"fmt"
	"slices"

	"fargate-nginx-sidecar/infra/policy"
)

// TrustPolicy lets ECS assume the role, but only for tasks of this account and region, so that a cluster in another
// account cannot make ECS use it.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
func TrustPolicy(partition, region, account string) (string, error) {
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

// ExecutionRights are what ECS needs to start a task: images from repositories, log groups to write to, and the parameters
// and secrets of its variables, with the keys that may have encrypted them. All are ARNs.
type ExecutionRights struct {
	Partition, Region       string
	Repositories, LogGroups []string
	// Given are those repositories whose images something else than the stack puts there.
	Given               []string
	Parameters, Secrets []string
	Keys                []string
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

// Policy grants these rights, the right to pull AWS's agent, and nothing else. ECS may not create log groups, because the stack declares them together with their
// retention.
func (r ExecutionRights) Policy() (string, error) {
	var streams []string
	for _, group := range r.LogGroups {
		if group == "" {
			return "", fmt.Errorf("log groups %q; allowed: names of existing groups", r.LogGroups)
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
	if len(r.Repositories) > 0 {
		statements = append(statements, policy.Statement{
			Sid: "PullImages", Effect: "Allow", Action: pull, Resource: sorted(r.Repositories),
		})
	}
	if len(r.Given) > 0 {
		// A repository may be a pull-through cache, which fetches an image when it is first pulled.
		// https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
		statements = append(statements, policy.Statement{
			Sid: "FillCaches", Effect: "Allow", Action: []string{"ecr:BatchImportUpstreamImage"}, Resource: sorted(r.Given),
		})
	}
	statements = append(statements, policy.Statement{
		Sid: "PullGuardDutyAgent", Effect: "Allow", Action: pull, Resource: []string{agentRepository(r.Partition, r.Region)},
	}, policy.Statement{
		Sid:    "LogInToRegistry",
		Effect: "Allow",
		Action: []string{"ecr:GetAuthorizationToken"},
		// The only action here that cannot be limited to resources.
		// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
		Resource: []string{"*"},
	})

	statements = append(statements, r.toReadSecrets()...)

	return policy.Render(statements...)
}

func (r ExecutionRights) toReadSecrets() []policy.Statement {
	var all []policy.Statement
	if len(r.Parameters) > 0 {
		all = append(all, policy.Statement{
			Sid: "ReadParameters", Effect: "Allow", Action: []string{"ssm:GetParameters"}, Resource: sorted(r.Parameters),
		})
	}
	if len(r.Secrets) > 0 {
		all = append(all, policy.Statement{
			Sid: "ReadSecrets", Effect: "Allow", Action: []string{"secretsmanager:GetSecretValue"}, Resource: sorted(r.Secrets),
		})
	}
	// Values that are encrypted with AWS's own keys need no further right.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html#task-execution-secrets
	if len(all) > 0 && len(r.Keys) > 0 {
		all = append(all, policy.Statement{
			Sid: "DecryptThem", Effect: "Allow", Action: []string{"kms:Decrypt"}, Resource: sorted(r.Keys),
		})
	}

	return all
}

// ExecPolicy lets the agent of ECS Exec talk to Systems Manager. These actions cannot be limited to resources.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonmessagegatewayservice.html
func ExecPolicy() (string, error) {
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
