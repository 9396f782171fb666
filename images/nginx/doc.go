// Package nginx holds the sidecar: nginx's configuration, the script that fills
// it in from the environment, and the image both go into. The Go code here is
// tests only. They run the built image, hardened as it runs on ECS, in front of
// a backend that writes down every request it receives.
package nginx
