package fargate

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/docker/go-connections/nat"
)

func fargateTask(containers ...types.ContainerDefinition) *Definition {
	return &Definition{types.TaskDefinition{
		Cpu: aws.String("1024"), Memory: aws.String("2048"), NetworkMode: types.NetworkModeAwsvpc, ContainerDefinitions: containers}}
}

func TestWhatFargateRefusesIsRefusedByName(t *testing.T) {
	for want, c := range map[string]types.ContainerDefinition{
		"privileged: not supported on Fargate":                            {Privileged: aws.Bool(true)},
		"capability NET_ADMIN; Fargate allows to add only SYS_PTRACE":     {LinuxParameters: &types.LinuxParameters{Capabilities: &types.KernelCapabilities{Add: []string{"NET_ADMIN"}}}},
		"stopTimeout: 121 s; Fargate allows at most 120":                  {StopTimeout: aws.Int32(121)},
		"ulimit core; allowed on Fargate: nofile":                         {Ulimits: []types.Ulimit{{Name: types.UlimitNameCore}}},
		`log driver "splunk"; supported by the local run: awslogs`:        {LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverSplunk}},
		"not supported with awsvpc on Fargate":                            {Links: []string{"other"}},
		"resourceRequirements, volumesFrom: not supported by the loc":     {VolumesFrom: []types.VolumeFrom{{}}},
		"tmpfs, devices, sharedMemorySize, maxSwap, swappiness: not supp": {LinuxParameters: &types.LinuxParameters{Tmpfs: []types.Tmpfs{{}}}},
	} {
		c.Name = aws.String("web")
		if err := fargateTask(c).check(); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "container web: ") {
			t.Errorf("got %v, want container web: … %s", err, want)
		}
	}
	whole := fargateTask()
	whole.Volumes = []types.Volume{{Name: aws.String("v"), Host: &types.HostVolumeProperties{SourcePath: aws.String("/etc")}}}
	if err := whole.check(); err == nil || err.Error() != "volume v: host path: not supported on Fargate" {
		t.Errorf("host volume: got %v", err)
	}
	fine := types.ContainerDefinition{Name: aws.String("web"), StopTimeout: aws.Int32(120), ReadonlyRootFilesystem: aws.Bool(true),
		LinuxParameters: &types.LinuxParameters{InitProcessEnabled: aws.Bool(true), Capabilities: &types.KernelCapabilities{Drop: []string{"ALL"}}}}
	if err := fargateTask(fine).check(); err != nil {
		t.Errorf("a definition that Fargate takes: %v", err)
	}
}

func TestContainerConfigCarriesTheDefinition(t *testing.T) {
	c := types.ContainerDefinition{
		Name: aws.String("web"), Image: aws.String("image"), User: aws.String("101:101"), ReadonlyRootFilesystem: aws.Bool(true),
		EntryPoint: []string{"/entry"}, Command: []string{"run"}, WorkingDirectory: aws.String("/app"), Cpu: 256, Memory: aws.Int32(300),
		Environment:     []types.KeyValuePair{{Name: aws.String("B"), Value: aws.String("2")}, {Name: aws.String("A"), Value: aws.String("1")}, {Name: aws.String(trustedProxies), Value: aws.String("10.0.0.0/20")}},
		Ulimits:         []types.Ulimit{{Name: types.UlimitNameNofile, SoftLimit: 10, HardLimit: 20}},
		LinuxParameters: &types.LinuxParameters{InitProcessEnabled: aws.Bool(true), Capabilities: &types.KernelCapabilities{Drop: []string{"ALL"}}},
		MountPoints: []types.MountPoint{
			{SourceVolume: aws.String("tmp"), ContainerPath: aws.String("/tmp")},
			{SourceVolume: aws.String("data"), ContainerPath: aws.String("/data"), ReadOnly: aws.Bool(true)}},
	}
	config, host, err := fargateTask(c).containerConfig(c, surroundings{
		pauseID: "p", volumes: map[string]string{"tmp": "docker-tmp", "data": "docker-data"}, declared: map[string]struct{}{"/tmp": {}},
		secrets: map[string]string{"C": "secret"}, region: "eu-central-1", gateway: "172.18.0.1", cpus: 0.5, setsNofile: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]any{
		"user":        {config.User, "101:101"},
		"env":         {config.Env, []string{"A=1", "AWS_DEFAULT_REGION=eu-central-1", "AWS_EXECUTION_ENV=AWS_ECS_FARGATE", "AWS_REGION=eu-central-1", "B=2", "C=secret", "NGINX_TRUSTED_PROXIES=10.0.0.0/20,172.18.0.1/32"}},
		"entry":       {[]string(config.Entrypoint), []string{"/entry"}},
		"command":     {[]string(config.Cmd), []string{"run"}},
		"directory":   {config.WorkingDir, "/app"},
		"check":       {config.Healthcheck.Test, []string{"NONE"}},
		"network":     {string(host.NetworkMode), "container:p"},
		"root":        {host.ReadonlyRootfs, true},
		"init":        {*host.Init, true},
		"drop":        {[]string(host.CapDrop), []string{"ALL"}},
		"memory":      {host.Memory, int64(300 << 20)},
		"swap":        {host.MemorySwap, int64(300 << 20)},
		"shares":      {host.CPUShares, int64(256)},
		"cpus":        {host.NanoCPUs, int64(5e8)},
		"nofile":      {[2]int64{host.Ulimits[0].Soft, host.Ulimits[0].Hard}, [2]int64{10, 20}},
		"declared":    {host.Mounts[0].VolumeOptions.NoCopy, false},
		"undeclared":  {host.Mounts[1].VolumeOptions.NoCopy, true},
		"read-only":   {host.Mounts[1].ReadOnly, true},
		"volume name": {host.Mounts[0].Source, "docker-tmp"},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: got %v, want %v", name, pair[0], pair[1])
		}
	}
	c.MountPoints[0].SourceVolume = aws.String("none")
	if _, _, err := fargateTask(c).containerConfig(c, surroundings{}); err == nil || err.Error() != `container web: mount point /tmp: volume "none" is not in the task definition` {
		t.Errorf("unknown volume: got %v", err)
	}
}

func TestPauseContainerPublishesEveryMappedPortOnLoopbackOnly(t *testing.T) {
	d := fargateTask(
		types.ContainerDefinition{PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(8080)}}},
		types.ContainerDefinition{PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(53), Protocol: types.TransportProtocolUdp}}})
	_, host := d.pauseConfig("image", "host", "network", nil)
	for _, port := range []string{"8080/tcp", "53/udp"} {
		bound := host.PortBindings[nat.Port(port)]
		if len(bound) != 1 || bound[0].HostIP != "127.0.0.1" || bound[0].HostPort != "" {
			t.Errorf("%s: got %v, want a free port of 127.0.0.1", port, bound)
		}
	}
	if len(host.PortBindings) != 2 {
		t.Errorf("ports: got %d, want 2", len(host.PortBindings))
	}
}

// A machine has other containers than those of one task.
func TestATaskWhoseContainersAskForNoCPUIsWorthAsMuchAsAnyContainer(t *testing.T) {
	none, some := types.ContainerDefinition{Name: aws.String("app")}, types.ContainerDefinition{Name: aws.String("nginx"), Cpu: 64}
	for _, c := range []struct {
		task *Definition
		want int64
	}{
		{fargateTask(none, none), 0}, {fargateTask(none, some), 2},
	} {
		if got := c.task.shares(none); got != c.want {
			t.Errorf("beside %d CPU units: got %d, want %d", c.task.ContainerDefinitions[1].Cpu, got, c.want)
		}
	}
}

// The containers of a task share the hosts file of the one that has the network.
func TestATaskKnowsTheMachineByName(t *testing.T) {
	_, host := fargateTask().pauseConfig("image", "host", "network", nil)
	if want := []string{"host.docker.internal:host-gateway"}; !slices.Equal(host.ExtraHosts, want) {
		t.Errorf("got %q, want %q", host.ExtraHosts, want)
	}
}

func TestARestartNeedsAPolicyAnExitCodeAndTime(t *testing.T) {
	on := types.ContainerRestartPolicy{Enabled: aws.Bool(true), RestartAttemptPeriod: aws.Int32(60), IgnoredExitCodes: []int32{0}}
	for _, test := range []struct {
		name   string
		policy *types.ContainerRestartPolicy
		code   int32
		ran    time.Duration
		want   bool
	}{
		{"long enough", &on, 1, time.Minute, true},
		{"too soon", &on, 1, time.Minute - time.Second, false},
		{"an exit code to ignore", &on, 0, time.Hour, false},
		{"no policy", nil, 1, time.Hour, false},
		{"a policy that is off", &types.ContainerRestartPolicy{Enabled: aws.Bool(false)}, 1, time.Hour, false},
		{"the default period", &types.ContainerRestartPolicy{Enabled: aws.Bool(true)}, 0, 5 * time.Minute, true},
		{"less than the default period", &types.ContainerRestartPolicy{Enabled: aws.Bool(true)}, 0, 5*time.Minute - time.Second, false},
	} {
		if got := mayRestart(test.policy, test.code, test.ran); got != test.want {
			t.Errorf("%s: started again: %v; want %v", test.name, got, test.want)
		}
	}
}

func TestWithoutItsLogRouterATaskLogsWhereTheRouterDoes(t *testing.T) {
	logs := &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-group": "app"}}
	own := &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-group": "own"}}
	routed := &types.LogConfiguration{LogDriver: types.LogDriverAwsfirelens, Options: map[string]string{"Name": "http"}}
	on := func(name string) types.ContainerDependency { return types.ContainerDependency{ContainerName: &name} }
	given := fargateTask(
		types.ContainerDefinition{Name: aws.String("nginx"), LogConfiguration: routed, DependsOn: []types.ContainerDependency{on("app"), on("router")}},
		types.ContainerDefinition{Name: aws.String("router"), LogConfiguration: logs, FirelensConfiguration: &types.FirelensConfiguration{}},
		types.ContainerDefinition{Name: aws.String("app"), LogConfiguration: own},
	)
	before := fmt.Sprint(given.ContainerDefinitions)
	left := given.withoutLogRouter().ContainerDefinitions
	if len(left) != 2 || *left[0].Name != "nginx" || *left[1].Name != "app" {
		t.Fatalf("containers: %v; want nginx and app", left)
	}
	if left[0].LogConfiguration != logs || left[1].LogConfiguration != own {
		t.Errorf("logs: %v and %v; want the router's and the app's own", left[0].LogConfiguration, left[1].LogConfiguration)
	}
	if len(left[0].DependsOn) != 1 || *left[0].DependsOn[0].ContainerName != "app" {
		t.Errorf("nginx depends on %v; want the app alone", left[0].DependsOn)
	}
	if fmt.Sprint(given.ContainerDefinitions) != before {
		t.Error("the task definition itself has changed, which other tasks share")
	}
	if plain := fargateTask(types.ContainerDefinition{Name: aws.String("app")}); plain.withoutLogRouter() != plain {
		t.Error("a task without a router is another one now")
	}
}

func TestSizesAreReadAsECSWritesThem(t *testing.T) {
	for s, want := range map[string]float64{"256": 256, "1 vCPU": 1024, ".5 vcpu": 512, "0.25 vCPU": 256} {
		if got, err := sizeInUnits(s, "vcpu"); err != nil || got != want {
			t.Errorf("%q: got %v %v, want %v", s, got, err, want)
		}
	}
	if _, err := sizeInUnits("much", "gb"); err == nil || err.Error() != `"much"; want a number, or a number of gb` {
		t.Errorf("got %v", err)
	}
}

func TestDependantsStopFirst(t *testing.T) {
	on := func(names ...string) []types.ContainerDependency {
		var all []types.ContainerDependency
		for _, n := range names {
			all = append(all, types.ContainerDependency{ContainerName: &n})
		}
		return all
	}
	got := dependantsOf([]types.ContainerDefinition{
		{Name: aws.String("nginx"), DependsOn: on("app", "config")}, {Name: aws.String("app"), DependsOn: on("config")}, {Name: aws.String("config")}})
	want := map[string][]string{"app": {"nginx"}, "config": {"nginx", "app"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEveryTaskHasAnAddressOfItsSubnetToItself(t *testing.T) {
	all := newSubnets(Options{Endpoint: "http://127.0.0.1:1", Region: "eu-central-1"})
	all.known["subnet-1"] = subnet{zone: "eu-central-1a", block: netip.MustParsePrefix("10.1.2.16/28")}
	placed := map[string]placement{}
	for range 11 { // of 16 addresses, five are AWS's own
		p, err := all.place(t.Context(), "subnet-1")
		if err != nil {
			t.Fatal(err)
		}
		if last := netip.MustParseAddr(p.ip).As4()[3]; !strings.HasPrefix(p.ip, "10.1.2.") || last < 20 || last > 30 {
			t.Errorf("got %s, want 10.1.2.20 to 10.1.2.30", p.ip)
		}
		placed[p.ip] = p
	}
	if len(placed) != 11 {
		t.Errorf("11 tasks share %d addresses", len(placed))
	}
	if p, err := all.place(t.Context(), "subnet-1"); err == nil {
		t.Errorf("a full subnet has room for a task at %s", p.ip)
	}
	all.release(placed["10.1.2.25"])
	if p, err := all.place(t.Context(), "subnet-1"); err != nil || p.ip != "10.1.2.25" {
		t.Errorf("the only free address: got %s, %v; want 10.1.2.25", p.ip, err)
	}
}

// A reason is shown to people as it stands.
func TestASubnetThatCannotBeReadIsExplained(t *testing.T) {
	for _, c := range []struct {
		status       int
		answer, want string
	}{
		{http.StatusOK, `<DescribeSubnetsResponse><subnetSet/></DescribeSubnetsResponse>`, "subnet subnet-1: 0 found, want 1"},
		{http.StatusBadRequest, `<Response><Errors><Error><Code>InvalidSubnetID.NotFound</Code><Message>gone</Message></Error></Errors></Response>`,
			"subnet subnet-1: DescribeSubnets: status 400, InvalidSubnetID.NotFound: gone"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.answer)
		}))
		_, err := newSubnets(Options{Endpoint: server.URL, Region: "eu-central-1"}).place(t.Context(), "subnet-1")
		server.Close()
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestNamesFollowTheClusters(t *testing.T) {
	cluster := "arn:aws-cn:ecs:cn-north-1:1:cluster/web"
	if got, want := taskARN(cluster, "t"), "arn:aws-cn:ecs:cn-north-1:1:task/web/t"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := containerARN(cluster, "t", "c"), "arn:aws-cn:ecs:cn-north-1:1:container/web/t/c"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := New(t.Context(), Options{RunID: "a b"})
	want := "run id: \"a b\"; allowed: letters, digits and '-'\nendpoint: empty; want the emulator's URL\nregion: empty"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLinesAreCutAndLongOnesSplit(t *testing.T) {
	s := testStream(1 << 20)
	l := &lines{stream: s}
	_, _ = l.Write([]byte("one\r\ntw"))
	_, _ = l.Write([]byte("o\n\n" + strings.Repeat("x", eventBytes+5)))
	l.flush()
	var got []string
	for _, e := range s.waiting {
		got = append(got, *e.Message)
	}
	if want := []string{"one", "two", strings.Repeat("x", eventBytes), "xxxxx"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %d lines: %.60q", len(got), got)
	}
}

func TestFullBufferDropsAndCountsButNeverBlocks(t *testing.T) {
	s := testStream(100)
	for range 10 {
		s.add(bytes.Repeat([]byte("x"), 24)) // 50 with the overhead
	}
	if len(s.waiting) != 2 || s.lost() != 8 {
		t.Errorf("got %d waiting, %d lost, want 2 and 8", len(s.waiting), s.lost())
	}
	events, size := s.batch()
	s.shipped(len(events), size, false)
	s.add([]byte("more"))
	if len(s.waiting) != 1 || s.lost() != 8 {
		t.Errorf("after a batch was shipped: got %d waiting, %d lost, want 1 and 8", len(s.waiting), s.lost())
	}
}

func TestBatchKeepsToPutLogEventsLimits(t *testing.T) {
	s := testStream(1 << 30)
	for range batchEvents + 1 {
		s.add([]byte("x"))
	}
	if events, _ := s.batch(); len(events) != batchEvents {
		t.Errorf("small events: got %d, want %d", len(events), batchEvents)
	}
	s = testStream(1 << 30)
	for range 10 {
		s.add(bytes.Repeat([]byte("x"), eventBytes))
	}
	if events, size := s.batch(); len(events) != 4 || size != batchBytes {
		t.Errorf("large events: got %d in %d bytes, want 4 in %d", len(events), size, batchBytes)
	}
}

func TestLogOptionsAreRead(t *testing.T) {
	// No log group is asked for: these options are refused before.
	for _, options := range []map[string]string{
		{"max-buffer-size": ""}, {"max-buffer-size": "m"}, {"max-buffer-size": "-1k"}, {"max-buffer-size": "x"},
		{"mode": "blocking"}, {"awslogs-create-group": "true"}, {"tag": "x"},
	} {
		if _, err := newStream(t.Context(), nil, options, "web", "id"); err == nil || !strings.HasPrefix(err.Error(), "ResourceInitializationError: failed to validate logger args: ") {
			t.Errorf("%v: got %v", options, err)
		}
	}
}

func testStream(limit int) *stream { return &stream{limit: limit} }
