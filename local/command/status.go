package command

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/run"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// eventsShown is how many of a service's events are printed after a failed deployment, and by status.
const eventsShown = 8

// clients read a run as anybody with the AWS API would.
type clients struct {
	ecs     *ecs.Client
	logs    *cloudwatchlogs.Client
	cluster string // ARN of the only one that is looked at; "" for all
}

func newClients(current run.Run) clients {
	config := emulator.Config(current.Endpoint, current.Region)
	return clients{ecs: ecs.NewFromConfig(config), logs: cloudwatchlogs.NewFromConfig(config)}
}

// services returns the active services of the cluster, or of all. One that another has replaced is listed while its tasks stop, and
// takes no update any more.
func (c clients) services(ctx context.Context) ([]ecstypes.Service, error) {
	clusters, err := c.ecs.ListClusters(ctx, &ecs.ListClustersInput{})
	if err != nil {
		return nil, err
	}
	var services []ecstypes.Service
	for _, cluster := range clusters.ClusterArns {
		if c.cluster != "" && c.cluster != cluster {
			continue
		}
		found, err := c.servicesOf(ctx, cluster)
		if err != nil {
			return nil, err
		}
		services = append(services, found...)
	}
	return services, nil
}

// servicesOf reads a cluster's services page by page: a page has 10, which is also how many can be described at once.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
func (c clients) servicesOf(ctx context.Context, cluster string) (active []ecstypes.Service, err error) {
	pages := ecs.NewListServicesPaginator(c.ecs, &ecs.ListServicesInput{Cluster: &cluster, MaxResults: aws.Int32(10)})
	for pages.HasMorePages() {
		listed, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		if len(listed.ServiceArns) == 0 {
			continue
		}
		described, err := c.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: listed.ServiceArns})
		if err != nil {
			return nil, err
		}
		for _, service := range described.Services {
			if aws.ToString(service.Status) == "ACTIVE" {
				active = append(active, service)
			}
		}
	}
	return active, nil
}

// runningTasks returns the tasks of all services that run.
func (c clients) runningTasks(ctx context.Context) ([]ecstypes.Task, error) {
	services, err := c.services(ctx)
	if err != nil {
		return nil, err
	}
	var all []ecstypes.Task
	for _, service := range services {
		tasks, err := c.tasks(ctx, service, ecstypes.DesiredStatusRunning)
		if err != nil {
			return nil, err
		}
		all = append(all, tasks...)
	}
	return all, nil
}

// tasksAtOnce is how many tasks ECS describes at once, and lists on a page.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
const tasksAtOnce = 100

// tasks returns a service's tasks that are meant to run, or to be stopped.
func (c clients) tasks(ctx context.Context, service ecstypes.Service, status ecstypes.DesiredStatus) (all []ecstypes.Task, err error) {
	pages := ecs.NewListTasksPaginator(c.ecs, &ecs.ListTasksInput{
		Cluster: service.ClusterArn, ServiceName: service.ServiceName, DesiredStatus: status, MaxResults: aws.Int32(tasksAtOnce),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		if len(page.TaskArns) == 0 {
			continue
		}
		described, err := c.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: service.ClusterArn, Tasks: page.TaskArns})
		if err != nil {
			return nil, err
		}
		all = append(all, described.Tasks...)
	}
	return all, nil
}

// sidecarVariables are what the running task definition sets for NGINX.
func (c clients) sidecarVariables(ctx context.Context) (map[string]string, error) {
	services, err := c.services(ctx)
	if err != nil {
		return nil, err
	}
	for _, service := range services {
		found, err := c.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: service.TaskDefinition})
		if err != nil {
			return nil, err
		}
		for _, container := range found.TaskDefinition.ContainerDefinitions {
			variables := map[string]string{}
			for _, variable := range container.Environment {
				variables[aws.ToString(variable.Name)] = aws.ToString(variable.Value)
			}
			if variables["NGINX_PATH_PREFIXES"] != "" {
				return variables, nil
			}
		}
	}
	return nil, errors.New("no task definition has NGINX_PATH_PREFIXES")
}

// list is a variable's list; an empty one has no members.
func list(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(value, ",")
}

// appLogs reads what the app containers logged since a point in time, by stream. Streams are named
// <service>/app/app/<task id>.
func (c clients) appLogs(ctx context.Context, since time.Time) (map[string][]string, error) {
	events, err := c.logEvents(ctx, since)
	if err != nil {
		return nil, err
	}
	streams := map[string][]string{}
	for _, event := range events {
		if path.Base(path.Dir(*event.LogStreamName)) == "app" {
			streams[*event.LogStreamName] = append(streams[*event.LogStreamName], *event.Message)
		}
	}
	return streams, nil
}

// logEvents returns the events of all log groups since a point in time, oldest first.
func (c clients) logEvents(ctx context.Context, since time.Time) ([]logstypes.FilteredLogEvent, error) {
	var events []logstypes.FilteredLogEvent
	groups := cloudwatchlogs.NewDescribeLogGroupsPaginator(c.logs, &cloudwatchlogs.DescribeLogGroupsInput{})
	for groups.HasMorePages() {
		page, err := groups.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, group := range page.LogGroups {
			found, err := c.eventsOf(ctx, group.LogGroupName, since)
			if err != nil {
				return nil, err
			}
			events = append(events, found...)
		}
	}
	sort.SliceStable(events, func(i, j int) bool { return *events[i].Timestamp < *events[j].Timestamp })
	return events, nil
}

func (c clients) eventsOf(ctx context.Context, group *string, since time.Time) (events []logstypes.FilteredLogEvent, err error) {
	input := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group}
	if !since.IsZero() {
		input.StartTime = aws.Int64(since.UnixMilli())
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(c.logs, input)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		events = append(events, page.Events...)
	}
	return events, nil
}

// Status prints what runs, in the words of ECS.
func (l *Local) Status(ctx context.Context) error {
	current, err := run.Load(l.dir())
	if err != nil {
		return err
	}
	client := newClients(current)
	services, err := client.services(ctx)
	if err != nil {
		return err
	}
	l.Progress.Line("%s since %s, http://%s\nAWS endpoint %s, registry %s, log %s\n", named(current.Stacks), current.Started.Format(time.DateTime), current.Listen, current.Endpoint, current.Registry, LogFile(l.dir()))
	if err := engineAnswers(ctx); err != nil {
		l.Progress.Line("docker    %v; start it. This is what was last seen:\n", err)
	}
	for _, service := range services {
		l.Progress.Line("service %s in cluster %s: %d of %d tasks running, %d pending, %s", *service.ServiceName, path.Base(*service.ClusterArn), service.RunningCount, service.DesiredCount, service.PendingCount, path.Base(*service.TaskDefinition))
	}
	tasks, err := client.runningTasks(ctx)
	if err != nil {
		return err
	}
	l.Progress.Line("\n%s", taskTable(tasks))
	l.printEvents(services)
	return nil
}

func taskTable(tasks []ecstypes.Task) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TASK\tSTATUS\tHEALTH\tDEFINITION\tCONTAINERS")
	for _, task := range tasks {
		containers := make([]string, 0, len(task.Containers))
		for _, container := range task.Containers {
			containers = append(containers, fmt.Sprintf("%s %s", *container.Name, strings.ToLower(string(container.HealthStatus))))
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", path.Base(*task.TaskArn), aws.ToString(task.LastStatus), task.HealthStatus, path.Base(*task.TaskDefinitionArn), strings.Join(containers, ", "))
	}
	_ = table.Flush()
	return text.String()
}

// printEvents prints the newest events of every service; it is what a person looks at first when a deploy failed.
func (l *Local) printEvents(services []ecstypes.Service) {
	for _, service := range services {
		l.Progress.Line("last events of service %s:", *service.ServiceName)
		shown := service.Events[:min(eventsShown, len(service.Events))]
		for i := len(shown) - 1; i >= 0; i-- {
			l.Progress.Line("  %s  %s", shown[i].CreatedAt.Local().Format(time.TimeOnly), *shown[i].Message)
		}
	}
}

// Logs prints what all containers logged, and goes on until ctx ends when follow is set.
func (l *Local) Logs(ctx context.Context, follow bool) error {
	current, err := run.Load(l.dir())
	if err != nil {
		return err
	}
	client := newClients(current)
	printed := map[string]bool{}
	since := time.Time{}
	for {
		events, err := client.logEvents(ctx, since)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for _, event := range events {
			if printed[*event.EventId] {
				continue
			}
			printed[*event.EventId] = true
			l.Progress.Line("%s  %s", *event.LogStreamName, strings.TrimRight(*event.Message, "\n"))
			// Events of the same millisecond may still come, so the newest is asked for again.
			since = time.UnixMilli(*event.Timestamp)
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}
