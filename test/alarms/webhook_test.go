package alarms

import (
	"fmt"

	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/test/testenv"
)

// installWebhook installs webhook configurations and waits until the API server
// asks the webhook about what is in git. All fixtures have one server, each under the
// path of its namespace.
func installWebhook(p *player, ts *testscript.TestScript, args []string) error {
	patch, err := yaml.YAMLToJSON([]byte(ts.ReadFile(args[1])))
	if err != nil {
		return err
	}
	path := "/" + p.namespace
	hooks.Set(path, string(patch))
	if _, err := p.kubectl("apply", "--server-side", "--field-manager=platform", "-f", args[0]); err != nil {
		return err
	}
	ok := testenv.Poll(within, func() bool {
		_, err := p.deploy("--dry-run=server")
		return err == nil && hooks.Called(path)
	})
	if !ok {
		return fmt.Errorf("the API server does not ask the webhook of %s", args[0])
	}
	return nil
}
