// The rules of @pulumi/awsguard, applied to the resources of this program.
"use strict";

const aws = require("@pulumi/aws");

// awsguard names three types by other tokens than the program does. A rule takes over the token of its class as it is loaded
// (validateResourceOfType in @pulumi/policy), so these lines come before awsguard: after it, the rules for listeners and buckets,
// which have one type each, would be skipped without a word.
aws.elasticloadbalancingv2.Listener.__pulumiType = "aws:lb/listener:Listener";
aws.elasticloadbalancingv2.LoadBalancer.__pulumiType = "aws:lb/loadBalancer:LoadBalancer";
aws.s3.Bucket.__pulumiType = "aws:s3/bucketV2:BucketV2";

const { AwsGuard } = require("@pulumi/awsguard");

// This rule asks AWS when an existing certificate expires; that of a new stack does not exist yet.
new AwsGuard({ acmCertificateExpiration: "disabled" });
