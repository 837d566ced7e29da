package testenv

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// MainWithProgram runs a package's tests as Main does, with the program of this module,
// whose path it hands out through program. Parallel is how many tests run at once: more
// than there are processors where they mostly wait; 0 is go test's own number.
func MainWithProgram(m *testing.M, nodes, parallel int, into **Env, program *string) int {
	dir, err := os.MkdirTemp("", "plumbline-program-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if *program, err = Plumbline(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	flag.Parse()
	if parallel > 0 {
		if err := flag.Set("test.parallel", strconv.Itoa(parallel)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return Main(m, nodes, into)
}

// Plumbline builds the program of this module into dir and returns its path.
func Plumbline(dir string) (string, error) {
	binary := filepath.Join(dir, "plumbline")
	build := exec.Command("go", "build", "-o", binary, "plumbline.dev/plumbline/cmd/plumbline")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building plumbline: %w\n%s", err, out)
	}
	return binary, nil
}
