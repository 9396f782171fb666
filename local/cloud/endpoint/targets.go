package endpoint

import (
	"encoding/xml"
	"net/http"

	"fargate-nginx-sidecar/local/cloud/alb"
)

// Targets is the load balancer, which knows how its targets are.
type Targets interface {
	TargetHealth(targetGroupARN string) []alb.Health
}

// targetHealthAnswer is the answer of DescribeTargetHealth.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
type targetHealthAnswer struct {
	XMLName xml.Name       `xml:"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/ DescribeTargetHealthResponse"`
	Targets []targetHealth `xml:"DescribeTargetHealthResult>TargetHealthDescriptions>member"`
	Request string         `xml:"ResponseMetadata>RequestId"`
}

type targetHealth struct {
	HealthCheckPort string `xml:"HealthCheckPort"`
	ID              string `xml:"Target>Id"`
	Port            int    `xml:"Target>Port"`
	State           string `xml:"TargetHealth>State"`
	Reason          string `xml:"TargetHealth>Reason,omitempty"`
	Description     string `xml:"TargetHealth>Description,omitempty"`
}

// answerTargetHealth says how the targets of a group are.
func (e *Endpoint) answerTargetHealth(w http.ResponseWriter, c call) bool {
	answer := targetHealthAnswer{Request: "local"}
	for _, target := range e.options.Targets.TargetHealth(c.form.Get("TargetGroupArn")) {
		answer.Targets = append(answer.Targets, targetHealth{
			HealthCheckPort: target.HealthCheckPort,
			ID:              target.Target,
			Port:            target.Port,
			State:           target.State,
			Reason:          target.Reason,
			Description:     target.Description,
		})
	}
	w.Header().Set("Content-Type", "text/xml")
	_ = xml.NewEncoder(w).Encode(answer)
	return true
}
