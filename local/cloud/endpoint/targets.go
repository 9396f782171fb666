package endpoint

import (
	"context"
	"encoding/xml"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Targets is the load balancer, which knows how its targets are.
type Targets interface {
	TargetHealth(targetGroupARN string) []types.TargetHealthDescription
	Sync(ctx context.Context) error
}

// movesClients are the actions that send clients elsewhere. What they came from may be deleted right after the answer,
// so the load balancer follows before it.
var movesClients = map[string]bool{"CreateRule": true, "ModifyRule": true, "ModifyListener": true}

// follow waits until the load balancer has seen what the emulator holds now.
func (e *Endpoint) follow(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, syncWait)
	defer cancel()
	_ = e.options.Targets.Sync(ctx) // what it cannot read now, it reads a second later
}

// targetHealthAnswer is the answer of DescribeTargetHealth.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
type targetHealthAnswer struct {
	XMLName xml.Name       `xml:"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/ DescribeTargetHealthResponse"`
	Targets []targetHealth `xml:"DescribeTargetHealthResult>TargetHealthDescriptions>member"`
	Request string         `xml:"ResponseMetadata>RequestId"`
}

type targetHealth struct {
	HealthCheckPort string                       `xml:"HealthCheckPort"`
	ID              string                       `xml:"Target>Id"`
	Port            int32                        `xml:"Target>Port"`
	State           types.TargetHealthStateEnum  `xml:"TargetHealth>State"`
	Reason          types.TargetHealthReasonEnum `xml:"TargetHealth>Reason,omitempty"`
	Description     string                       `xml:"TargetHealth>Description,omitempty"`
}

// answerTargetHealth says how the targets of a group are.
func (e *Endpoint) answerTargetHealth(w http.ResponseWriter, c call) bool {
	answer := targetHealthAnswer{Request: "local"}
	for _, target := range e.options.Targets.TargetHealth(c.form.Get("TargetGroupArn")) {
		answer.Targets = append(answer.Targets, targetHealth{
			HealthCheckPort: aws.ToString(target.HealthCheckPort),
			ID:              aws.ToString(target.Target.Id),
			Port:            aws.ToInt32(target.Target.Port),
			State:           target.TargetHealth.State,
			Reason:          target.TargetHealth.Reason,
			Description:     aws.ToString(target.TargetHealth.Description),
		})
	}
	w.Header().Set("Content-Type", "text/xml")
	_ = xml.NewEncoder(w).Encode(answer)
	return true
}
