package endpoint

import (
	"context"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// answerDeployments answers for the history of services, which the emulator does not keep. Like a service itself, it is
// described only after the scheduler has seen the last change.
func (e *Endpoint) answerDeployments(w http.ResponseWriter, action string, request map[string]any) bool {
	ctx, cancel := context.WithTimeout(context.Background(), syncWait)
	defer cancel()
	if err := e.options.Tasks.Sync(ctx); err != nil {
		failed(w, nil, err)
		return true
	}
	switch action {
	case "ListServiceDeployments":
		return respond(w, map[string]any{"serviceDeployments": jsonOf(e.listDeployments(request))})
	case "DescribeServiceDeployments":
		return respondNamed(w, "serviceDeployments", request["serviceDeploymentArns"], e.options.Tasks.ServiceDeployments(),
			func(d types.ServiceDeployment) string { return *d.ServiceDeploymentArn })
	default:
		return respondNamed(w, "serviceRevisions", request["serviceRevisionArns"], e.options.Tasks.ServiceRevisions(),
			func(r types.ServiceRevision) string { return *r.ServiceRevisionArn })
	}
}

// listDeployments returns a service's deployments, the newest first, that were made at the given time or later.
func (e *Endpoint) listDeployments(request map[string]any) []types.ServiceDeploymentBrief {
	between, _ := request["createdAt"].(map[string]any)
	after, _ := between["after"].(float64)
	listed := []types.ServiceDeploymentBrief{}
	for _, d := range slices.Backward(e.options.Tasks.ServiceDeployments()) {
		if path.Base(*d.ServiceArn) != path.Base(text(request, "service")) || path.Base(*d.ClusterArn) != path.Base(text(request, "cluster")) ||
			d.CreatedAt.Before(time.UnixMilli(int64(after*1000))) {
			continue
		}
		listed = append(listed, types.ServiceDeploymentBrief{
			ServiceDeploymentArn: d.ServiceDeploymentArn, ServiceArn: d.ServiceArn, ClusterArn: d.ClusterArn, Status: d.Status, StatusReason: d.StatusReason,
			CreatedAt: d.CreatedAt, StartedAt: d.StartedAt, FinishedAt: d.FinishedAt, TargetServiceRevisionArn: d.TargetServiceRevision.Arn,
		})
	}
	return listed
}

// respondNamed answers with those of all that have the wanted names, and with a failure for each name that none has.
func respondNamed[T any](w http.ResponseWriter, member string, wanted any, all []T, name func(T) string) bool {
	found, failures := []any{}, []any{}
	names, _ := wanted.([]any)
	for _, entry := range names {
		arn, _ := entry.(string)
		if i := slices.IndexFunc(all, func(one T) bool { return name(one) == arn }); i >= 0 {
			found = append(found, jsonOf(all[i]))
		} else {
			failures = append(failures, jsonOf(types.Failure{Arn: &arn, Reason: aws.String("MISSING")}))
		}
	}
	return respond(w, map[string]any{member: found, "failures": failures})
}
