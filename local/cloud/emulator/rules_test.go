package emulator_test

import (
	"os"
	"os/exec"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"
)

func TestTheRulesAndPatternsOfTheProgramInTheEmulator(t *testing.T) {
	python := exec.CommandContext(t.Context(), emulatortest.Python(t), "localrun_test.py")
	python.Env = append(os.Environ(), "PYTHONPATH=localrun", "PYTHONDONTWRITEBYTECODE=1")
	if output, err := python.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
