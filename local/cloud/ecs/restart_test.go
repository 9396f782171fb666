package ecs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// restarting makes a container start again after it has run for some seconds. AWS allows 60 and more.
func restarting(c types.ContainerDefinition, seconds int32) types.ContainerDefinition {
	c.RestartPolicy = &types.ContainerRestartPolicy{Enabled: aws.Bool(true), RestartAttemptPeriod: &seconds}
	return c
}

func TestACrashedContainerStartsAgainInItsTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.serve(w.register(nil, restarting(web(w.image(nil), "one"), 1)), 1, 8080)
	w.steady(service)
	task := w.running()[0]
	began := *task.StartedAt
	time.Sleep(time.Until(began.Add(2 * time.Second)))
	stream := "web/web/" + (*task.TaskArn)[strings.LastIndex(*task.TaskArn, "/")+1:]
	fetch("http://" + w.local(task) + "/crash")
	w.until(service, "started again", 20*time.Second, func(types.Service) bool {
		code, body := fetch("http://" + w.local(task) + "/")
		return code == 200 && body == "one" && len(w.lines(stream)) == 2
	})
	if now := w.running(); len(now) != 1 || *now[0].TaskArn != *task.TaskArn || *now[0].LastStatus != "RUNNING" || now[0].Containers[0].ExitCode != nil {
		t.Errorf("tasks after a crash: %v; want the same one, running", now)
	}
	if lines := w.lines(stream); !slices.Equal(lines, []string{"serving one", "serving one"}) {
		t.Errorf("log: %q; want the lines of both runs", lines)
	}

	// It stops like any other, and is not started again.
	must(t, w.scheduler.StopTask(*task.TaskArn, "test"))
	if code := w.ended(*task.TaskArn).Containers[0].ExitCode; code == nil || *code != 0 {
		t.Errorf("exit code after a stop: %v; want 0", code)
	}
}

func TestAContainerThatCrashesSoonEndsItsTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.serve(w.register(nil, restarting(web(w.image(nil), "one"), 300)), 1, 8080)
	w.steady(service)
	task := w.running()[0]
	fetch("http://" + w.local(task) + "/crash")
	w.until(service, "replaced", 20*time.Second, func(types.Service) bool {
		return aws.ToString(w.stopped(*task.TaskArn).StoppedReason) == "Essential container in task exited"
	})
}

// A crash loop is no different for the circuit breaker than without a policy, because a loop never runs for the period.
func TestTheBreakerSeesACrashLoopInSpiteOfARestartPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	image := w.image(nil)
	good := w.register(nil, restarting(web(image, "one"), 60))
	service := w.serve(good, 1, 8080)
	w.steady(service)
	crash := restarting(web(image, "crash"), 60)
	crash.Command = []string{"exit", "7"}
	w.update(service, func(u *awsecs.UpdateServiceInput) { u.TaskDefinition = aws.String(w.register(nil, crash)) })
	w.until(service, "rolled back", 60*time.Second, func(s types.Service) bool {
		return slices.ContainsFunc(s.Events, func(e types.ServiceEvent) bool { return strings.Contains(*e.Message, "rolling back") })
	})
	if got := *w.steady(service).Deployments[0].TaskDefinition; got != good {
		t.Errorf("task definition: %s; want %s", got, good)
	}
}

// A container that is not essential may fail; the task goes on, and a policy starts it again.
func TestAHelperThatCrashesStartsAgainBesideTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	image := w.image(nil)
	helper := restarting(web(image, "helper"), 1)
	helper.Name, helper.Essential = aws.String("helper"), aws.Bool(false)
	helper.Environment[0].Value, helper.PortMappings = aws.String("9000"), nil // beside the other's port, which nobody maps twice
	front := web(image, "front")
	front.DependsOn = []types.ContainerDependency{{ContainerName: helper.Name, Condition: types.ContainerConditionStart}}
	service := w.serve(w.register(nil, front, helper), 1, 8080)
	w.steady(service)
	task := w.running()[0]
	time.Sleep(time.Until(task.StartedAt.Add(2 * time.Second)))
	stream := "web/helper/" + (*task.TaskArn)[strings.LastIndex(*task.TaskArn, "/")+1:]
	_, _ = w.exec(*task.Containers[1].RuntimeId, "/app", "crash") // ends with the container
	w.until(service, "started again", 20*time.Second, func(types.Service) bool { return len(w.lines(stream)) == 2 })
	if now := w.running(); len(now) != 1 || *now[0].TaskArn != *task.TaskArn || *now[0].Containers[1].LastStatus != "RUNNING" {
		t.Errorf("tasks: %v; want the same one with both containers", now)
	}
	if code, body := w.get("/"); code != 200 || body != "front" {
		t.Errorf("answer: %d %q; want front", code, body)
	}
}
