module fargate-nginx-sidecar/local

go 1.26
