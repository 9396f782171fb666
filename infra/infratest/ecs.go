package infratest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
)

// Deployment is one deployment of a service, as ECS describes it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
type Deployment struct {
	Status             string `json:"status"`
	TaskDefinition     string `json:"taskDefinition"`
	RolloutState       string `json:"rolloutState"`
	RolloutStateReason string `json:"rolloutStateReason,omitempty"`
}

// serveECS answers the program's requests to ECS while the program runs: each service has one completed deployment, of
// the task definition that it was declared with. The machine's own AWS configuration is not read.
func (r *recorder) serveECS() (stop func()) {
	server := httptest.NewServer(http.HandlerFunc(r.describeServices))
	before := map[string]string{}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_ECS": server.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": "",
	} {
		before[name] = os.Getenv(name)
		_ = os.Setenv(name, value) // fails only for names that are not allowed
	}

	return func() {
		for name, value := range before {
			_ = os.Setenv(name, value)
		}
		server.Close()
	}
}

func (r *recorder) describeServices(w http.ResponseWriter, request *http.Request) {
	var asked struct {
		Services []string `json:"services"`
	}
	if request.Header.Get("X-Amz-Target") != "AmazonEC2ContainerServiceV20141113.DescribeServices" ||
		json.NewDecoder(request.Body).Decode(&asked) != nil {
		http.Error(w, "only DescribeServices is answered", http.StatusBadRequest)
		return
	}

	r.mutex.Lock()
	defer r.mutex.Unlock()
	type service struct {
		Name        string       `json:"serviceName"`
		Status      string       `json:"status"`
		Deployments []Deployment `json:"deployments"`
	}
	found := []service{}
	for _, declared := range r.graph.Resources {
		if name := suffixed(declared); declared.Type == "aws:ecs/service:Service" && slices.Contains(asked.Services, name) {
			deployments := []Deployment{{
				Status: "PRIMARY", TaskDefinition: declared.Inputs["taskDefinition"].StringValue(), RolloutState: "COMPLETED",
			}}
			if r.options.Deployments != nil {
				deployments = r.options.Deployments(declared)
			}
			status := "ACTIVE"
			if len(deployments) == 0 {
				status = "INACTIVE"
			}
			found = append(found, service{name, status, deployments})
		}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]any{"services": found}) // the client notices an answer that is cut off
}
