package endpoint

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"

	"fargate-nginx-sidecar/local/cloud/alb"
)

// queryContent is the content type of AWS's query protocol, which Elastic Load Balancing and EC2 speak.
const queryContent = "application/x-www-form-urlencoded"

// Targets is the load balancer, which knows how its targets are.
type Targets interface {
	TargetHealth(targetGroupARN string) []alb.Health
	Sync(ctx context.Context) error
}

// serveQuery answers for the health of targets, and lets the emulator answer the rest.
// Answers about security group rules are looked into on their way back.
func (e *Endpoint) serveQuery(w http.ResponseWriter, r *http.Request) {
	body, err := peek(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	form, err := url.ParseQuery(string(body))
	if err == nil && ruleActions[form.Get("Action")] {
		r = withForm(r, form)
	}
	if err != nil || form.Get("Action") != "DescribeTargetHealth" {
		e.proxy.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	_ = xml.NewEncoder(w).Encode(describeTargetHealth(e.options.Targets.TargetHealth(form.Get("TargetGroupArn"))))
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

func describeTargetHealth(targets []alb.Health) targetHealthAnswer {
	answer := targetHealthAnswer{Request: "local"}
	for _, target := range targets {
		answer.Targets = append(answer.Targets, targetHealth{
			HealthCheckPort: target.HealthCheckPort,
			ID:              target.Target,
			Port:            target.Port,
			State:           target.State,
			Reason:          target.Reason,
			Description:     target.Description,
		})
	}
	return answer
}
