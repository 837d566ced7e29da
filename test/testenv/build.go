package testenv

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// Plumbline builds the program of this module into dir and returns its path.
func Plumbline(dir string) (string, error) {
	binary := filepath.Join(dir, "plumbline")
	build := exec.Command("go", "build", "-o", binary, "plumbline.dev/plumbline/cmd/plumbline")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building plumbline: %w\n%s", err, out)
	}
	return binary, nil
}
