package infra

import (
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/cost"
)

// Outputs are what people and scripts need to reach the service. No value that may fail after a deployment is among
// them: if one output fails, the engine keeps none, and whoever investigates a failed deployment needs them.
func (s *Stack) Outputs() pulumi.Map {
	clusterName, serviceName := s.service.ClusterName, s.service.ServiceName

	outputs := pulumi.Map{
		"url":                  s.ingress.URL,
		"healthUrl":            pulumi.Sprintf("%s%s", s.ingress.URL, s.settings.healthCheck().Path),
		"clusterName":          clusterName,
		"serviceName":          serviceName,
		"appImage":             s.app.Reference,
		"nginxImage":           s.nginx.Reference,
		"appLogGroup":          s.service.AppLogGroup,
		"nginxLogGroup":        s.service.NginxLogGroup,
		"tailAppLogsCommand":   tail(s.service.AppLogGroup, s.settings.Region),
		"tailNginxLogsCommand": tail(s.service.NginxLogGroup, s.settings.Region),
		"listTasksCommand": pulumi.Sprintf("aws ecs list-tasks --cluster %s --service-name %s --region %s",
			clusterName, serviceName, s.settings.Region),
		// For other stacks, such as that of a database.
		"vpcId":               s.network.VPCID,
		"publicSubnetIds":     s.network.PublicSubnetIDs,
		"taskSubnetIds":       s.network.TaskSubnetIDs,
		"taskSecurityGroupId": s.service.SecurityGroupID,
		"clusterArn":          s.service.ClusterARN,

		"monthlyEstimate": pulumi.String(cost.Sentence(Priced(s.settings))),
	}
	maps.Copy(outputs, s.ingress.Outputs)
	if zones := s.network.AvailabilityZones; len(zones) > 0 {
		outputs["availabilityZones"] = pulumi.ToStringArray(zones)
	}
	if s.traffic.Topic != nil {
		outputs["alarmTopicArn"] = s.traffic.Topic
	}
	if s.tasks.DashboardURL != nil {
		outputs["dashboardUrl"] = s.tasks.DashboardURL
	}

	return outputs
}

func tail(group pulumi.StringOutput, region string) pulumi.StringOutput {
	return pulumi.Sprintf("aws logs tail %s --follow --region %s", group, region)
}
