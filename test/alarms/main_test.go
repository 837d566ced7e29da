package alarms

import (
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
	hooks = testenv.ServeWebhooks()
	defer hooks.Close()
	return testenv.MainWithProgram(m, 1, 6, &env, &plumbline) // fixtures mostly wait for controllers
}
