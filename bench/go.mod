module fargate-nginx-sidecar/bench

go 1.26
