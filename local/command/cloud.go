package command

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"fargate-nginx-sidecar/local/cloud"
	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/machine"
)

// ServeCommand is the hidden command under which this program is its own background process.
const ServeCommand = "serve"

// launch starts this program again as the background process. What it needs to know goes as one JSON argument.
// The ports that it holds go as open files.
func (l *Local) launch(description run.Run, emulator string, held []*os.File) (*machine.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(description)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "--root", l.Root, ServeCommand, "--emulator", emulator, "--run", string(content)) //nolint:noctx // it outlives this command
	cmd.ExtraFiles = held
	return machine.StartDetached("cloud", LogFile(l.dir()), cmd)
}

// Serve is the background process. It ends on SIGTERM or SIGINT, after it has stopped every container.
func (l *Local) Serve(ctx context.Context, emulator, description string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	engine, err := l.finder.UseEngine(ctx)
	if err != nil {
		return err
	}
	defer engine.Leave() // the command that takes the run down still needs the engine
	var current run.Run
	if err := json.Unmarshal([]byte(description), &current); err != nil {
		return fmt.Errorf("serve: --run: %w", err)
	}
	ports, err := inherited()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return cloud.Serve(ctx, cloud.Options{
		Dir:      l.dir(),
		Layers:   filepath.Join(l.finder.CacheDir, "layers"),
		Emulator: emulator,
		Run:      current,
		Ports:    ports,
		Log:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{ReplaceAttr: shortTime})),
	})
}

// shortTime leaves the date out of the log of a process that lives for hours.
func shortTime(_ []string, attribute slog.Attr) slog.Attr {
	if attribute.Key == slog.TimeKey {
		attribute.Value = slog.StringValue(attribute.Value.Time().Format(time.TimeOnly))
	}
	return attribute
}
