package awsmodel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fargate-nginx-sidecar/local/machine"
)

// findWait bounds a start of Python.
const findWait = 30 * time.Second

// FindData returns botocore's data folder, given the moto_server program: moto is built upon botocore, so the Python
// that runs the one has the other, unless it runs in a container.
func FindData(ctx context.Context, motoServer string) (dir string, err error) {
	beside := filepath.Join(filepath.Dir(motoServer), machine.ModelsFolder)
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	ctx, cancel := context.WithTimeout(ctx, findWait)
	defer cancel()
	python, err := machine.PythonOf(ctx, motoServer)
	if err != nil {
		return "", fmt.Errorf("AWS API models: %w", err)
	}
	found, err := machine.Output(ctx, python, "-c", "import botocore, os; print(os.path.dirname(botocore.__file__))")
	if err != nil {
		return "", fmt.Errorf("AWS API models: botocore is not found by the Python that runs %s: %w", motoServer, err)
	}
	return filepath.Join(found, "data"), nil
}
