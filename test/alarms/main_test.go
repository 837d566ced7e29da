package alarms

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"plumbline.dev/plumbline/test/testenv"
)

var (
	env       *testenv.Env
	plumbline string // path of the binary
	hooks     *testenv.Webhooks
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "plumbline-alarms-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if plumbline, err = testenv.Plumbline(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil { // fixtures mostly wait for controllers
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	hooks = testenv.ServeWebhooks()
	defer hooks.Close()
	return testenv.Main(m, 1, &env)
}
