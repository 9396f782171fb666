package schedule

import (
	"fmt"
	"slices"
	"strings"

	"fargate-nginx-sidecar/infra/document"
	"fargate-nginx-sidecar/infra/policy"
)

// trustPolicy lets EventBridge Scheduler assume the role for the schedules of one group. AWS says that the condition must
// name a group, not a schedule.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
func trustPolicy(group, account string) (string, error) {
	return policy.Render(policy.Statement{
		Sid:       "SchedulesOfThisStack",
		Effect:    "Allow",
		Principal: map[string]string{"Service": "scheduler.amazonaws.com"},
		Action:    []string{"sts:AssumeRole"},
		Condition: map[string]map[string]string{"StringEquals": {"aws:SourceArn": group, "aws:SourceAccount": account}},
	})
}

// startPolicy lets the scheduler start tasks of one family in one cluster, hand over their roles and tag them, and send to
// the queue what it could not start.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/CWE_IAM_role.html
func startPolicy(cluster, definition string, roles []string, queue string) (string, error) {
	family, err := anyRevision(definition)
	if err != nil {
		return "", err
	}

	return policy.Render(
		policy.Statement{
			Sid: "StartTasks", Effect: "Allow", Action: []string{"ecs:RunTask"}, Resource: []string{family},
			Condition: map[string]map[string]string{"ArnEquals": {"ecs:cluster": cluster}},
		},
		policy.Statement{
			Sid: "HandOverRoles", Effect: "Allow", Action: []string{"iam:PassRole"}, Resource: slices.Sorted(slices.Values(roles)),
			Condition: map[string]map[string]string{"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}, //nolint:gosec // a service, not a credential
		},
		policy.Statement{
			Sid: "TagThem", Effect: "Allow", Action: []string{"ecs:TagResource"},
			Resource:  []string{strings.Replace(cluster, ":cluster/", ":task/", 1) + "/*"},
			Condition: map[string]map[string]string{"StringEquals": {"ecs:CreateAction": "RunTask"}},
		},
		policy.Statement{Sid: "ReportFailures", Effect: "Allow", Action: []string{"sqs:SendMessage"}, Resource: []string{queue}},
	)
}

// anyRevision replaces the revision at the end of a task definition's ARN, so that the policy stays as it is when a
// deployment makes a new one.
func anyRevision(definition string) (string, error) {
	at := strings.LastIndex(definition, ":")
	if !strings.Contains(definition, ":task-definition/") || at < strings.Index(definition, ":task-definition/")+len(":task-definition/") {
		return "", fmt.Errorf("task definition %q; allowed: an ARN with a revision", definition)
	}

	return definition[:at] + ":*", nil
}

// queuePolicy lets one rule of EventBridge send to the queue. The scheduler has that right through its role.
func queuePolicy(queue, rule string) (string, error) {
	return policy.Render(policy.Statement{
		Sid:       "FailedTasks",
		Effect:    "Allow",
		Principal: map[string]string{"Service": "events.amazonaws.com"},
		Action:    []string{"sqs:SendMessage"},
		Resource:  []string{queue},
		Condition: map[string]map[string]string{"ArnEquals": {"aws:SourceArn": rule}},
	})
}

// deployment is how the tasks of deployments begin what has started them. A deployment reports its command's failure
// itself.
const deployment = "deploy/"

// failedTasks matches the events of tasks that have stopped, although nobody asked them to, with another exit code than 0
// or before they started.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func failedTasks(cluster, definition string) (string, error) {
	family, err := anyRevision(definition)
	if err != nil {
		return "", err
	}
	type object = map[string]any
	return document.JSON(object{
		"source":      []string{"aws.ecs"},
		"detail-type": []string{"ECS Task State Change"},
		"detail": object{
			"clusterArn":        []string{cluster},
			"taskDefinitionArn": []object{{"prefix": strings.TrimSuffix(family, "*")}},
			"lastStatus":        []string{"STOPPED"},
			"startedBy":         []object{{"anything-but": object{"prefix": deployment}}},
			"$or": []object{
				{"containers": object{"exitCode": []object{{"anything-but": 0}}}},
				{"stopCode": []string{"TaskFailedToStart"}},
			},
		},
	})
}
