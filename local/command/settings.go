package command

// The paths of the settings that the local run itself needs. The program that it deploys has all of them; see
// docs/settings.md.
const (
	appContext      = "app.context"
	appDockerfile   = "app.dockerfile"
	appImage        = "app.image"
	appSecrets      = "app.secrets"
	nginxImage      = "http.image"
	extraContainers = "containers"
	logRouter       = "logRouter"
	ingressKind     = "ingress.kind"
	sharedBalancer  = "ingress.shared"
	idleTimeout     = "ingress.idleTimeout"
	login           = "login"
	architectureOf  = "task.architecture"
	forceDelete     = "storage.forceDelete"
)

// nginxContext is where the sidecar lies, which a stack builds unless it has a prebuilt image.
const nginxContext = "images/nginx"
