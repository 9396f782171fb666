package service

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// eventsShown is how many of the service's events a status has.
const eventsShown = 8

// Status writes what runs, in the words of ECS.
func (s *Service) Status(ctx context.Context, out io.Writer) error {
	service, err := s.describe(ctx)
	if err != nil {
		return err
	}
	tasks, err := s.Tasks(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "service %s in cluster %s: %d of %d tasks running, %d pending, %s\n\n", s.Name, path.Base(s.Cluster),
		service.RunningCount, service.DesiredCount, service.PendingCount, path.Base(aws.ToString(service.TaskDefinition)))

	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TASK\tSTATUS\tHEALTH\tDEFINITION\tCONTAINERS")
	for _, task := range tasks {
		var containers []string
		for _, container := range task.Containers {
			containers = append(containers, aws.ToString(container.Name)+" "+cmp.Or(strings.ToLower(string(container.HealthStatus)), strings.ToLower(aws.ToString(container.LastStatus))))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", taskID(task.TaskArn), aws.ToString(task.LastStatus), task.HealthStatus,
			path.Base(aws.ToString(task.TaskDefinitionArn)), strings.Join(containers, ", "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, d := range service.Deployments {
		fmt.Fprintf(out, "deployment of %s since %s: %s\n", path.Base(aws.ToString(d.TaskDefinition)), clock(d.CreatedAt), state(d))
	}
	fmt.Fprintln(out, "last events:")
	for _, event := range slices.Backward(service.Events[:min(eventsShown, len(service.Events))]) {
		fmt.Fprintf(out, "  %s  %s\n", clock(event.CreatedAt), aws.ToString(event.Message))
	}

	return nil
}

func state(d types.Deployment) string {
	text := strings.ToLower(string(d.RolloutState))
	if reason := aws.ToString(d.RolloutStateReason); reason != "" {
		text += ", " + reason
	}

	return text
}

func clock(at *time.Time) string { return aws.ToTime(at).Local().Format(time.DateTime) }
