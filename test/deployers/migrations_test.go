package deployers

import (
	"testing"

	"plumbline.dev/plumbline/differ"
)

var (
	clientSide   = kubectl("apply")
	serverSide   = kubectl("apply", "--server-side", "--force-conflicts")
	serverSideCI = kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=ci-deploy")
)

// TestMigrations changes the deployer, or how it works, and wants nothing to be
// found after each deployment: the same release by both, then the next one.
func TestMigrations(t *testing.T) {
	for name, m := range map[string]struct{ from, to deploy }{
		"client-side-to-server-side":    {clientSide, serverSide},
		"client-side-to-server-side-ci": {clientSide, serverSideCI},
		"server-side-to-client-side":    {serverSide, clientSide},
		"server-side-ci-to-client-side": {serverSideCI, clientSide},
		"create-to-server-side":         {first(kubectl("create", "--save-config"), serverSide), serverSide},
		"helm3-to-helm4":                {helm("helm-v3"), helm("helm-v4", "--server-side=true", "--force-conflicts")},
		"helm4-to-helm4-client-side":    {helm("helm-v4"), helm("helm-v4", "--server-side=false")},
		"argo-to-argo-server-side":      {argo(), argo("--server-side")},
		"argo-server-side-to-argo":      {argo("--server-side"), argo()},
		"client-side-to-flux-kustomize": {clientSide, flux},
		"client-side-to-argo":           {clientSide, argo()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			m.from(t, s, 1)
			m.to(t, s, 1)
			s.want(t, "after the migration", 1)
			m.to(t, s, 2)
			s.want(t, "after the next release", 2)
			m.from(t, s, 2)
			s.want(t, "after the way back", 2)
		})
	}
}

// TestForgotten applies on the client's side what was last applied on the
// server's: kubectl then does not know what it should remove, and leaves it.
func TestForgotten(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	serverSide(t, s, 2)
	clientSide(t, s, 3)
	s.want(t, "after a release that drops fields", 3, deployer{first: "kubectl"}.dropped()...)
}

// TestSuccessor has another server-side deployer take over without the first
// giving up anything: what the next release drops is then kept by the first.
func TestSuccessor(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	flux(t, s, 1)
	argo("--server-side")(t, s, 1)
	s.want(t, "after the change of deployers", 1)
	argo("--server-side")(t, s, 2)
	s.want(t, "after the next release", 2,
		"drift/released "+web+` metadata.annotations["example.com/owner"] by kustomize-controller`,
		"drift/released "+web+" "+container+".env[name=LEVEL] by kustomize-controller",
		"drift/released "+web+" spec.minReadySeconds by kustomize-controller",
		"drift/released ConfigMap/shop data.motd by kustomize-controller",
		"drift/released HorizontalPodAutoscaler/web spec.behavior by kustomize-controller",
		"drift/released Widget/main spec.parts[name=knob] by kustomize-controller")
}

// TestBeforeFirstApply has the records removed and then the release applied, which
// gives everything to a manager of that name: what a person added before is told
// nonetheless, though nobody knows who it was.
func TestBeforeFirstApply(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	clientSide(t, s, 2)
	s.admin.Kubectl(t, "-n", s.namespace, "set", "env", "deployment/web", "--containers=web", "DEBUG=1")
	for _, object := range []string{"deployment/web", "statefulset/db", "service/web", "cronjob/report", "hpa/web", "ingress/web"} {
		s.admin.Kubectl(t, "-n", s.namespace, "patch", object, "--type=json", "-p",
			`[{"op":"replace","path":"/metadata/managedFields","value":[{}]},{"op":"remove","path":"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"}]`)
	}
	serverSideCI(t, s, 2)
	s.want(t, "after the first apply", 2, "drift/added "+web+" "+container+".env[name=DEBUG]")
}

// TestTwoDeployers lets a second deployer apply its own part of an object. To the
// first one's repository that is undeclared, unless it names the second as one
// that may.
func TestTwoDeployers(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	serverSideCI(t, s, 1)
	s.admin.KubectlIn(t, `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {example.com/mesh: "on"}
spec:
  selector: {matchLabels: {app: web}}
  template:
    spec:
      containers:
      - name: web
        env: [{name: MESH, value: "on"}]
`, "-n", s.namespace, "apply", "--server-side", "--field-manager=kustomize-controller", "-f", "-")
	parts := func(op string) []string {
		return []string{
			"drift/" + op + " " + web + ` metadata.annotations["example.com/mesh"] by kustomize-controller`,
			"drift/" + op + " " + web + " " + container + ".env[name=MESH] by kustomize-controller",
		}
	}
	s.want(t, "where both may be the deployer", 1, parts("released")...)
	s.options.Controllers = []string{"kustomize-controller"}
	s.want(t, "where the other is a controller", 1)
	s.options = differ.Options{Deployers: []string{"ci-deploy"}}
	s.want(t, "where one is the deployer", 1, parts("added")...)
}

// TestByHand applies manifests by hand to what Argo CD deploys: nobody has named
// the deployer, but it is not kubectl.
func TestByHand(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	argo("--server-side")(t, s, 1)
	s.admin.KubectlIn(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: shop}, data: {currency: EUR, extra: x}}",
		"-n", s.namespace, "apply", "--server-side", "-f", "-")
	s.admin.KubectlIn(t, "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web, labels: {by: hand}}, spec: {minAvailable: 0}}",
		"-n", s.namespace, "apply", "-f", "-")
	s.want(t, "after manifests were applied by hand", 1,
		"drift/added ConfigMap/shop data.extra by kubectl",
		"drift/added PodDisruptionBudget/web metadata.labels.by by kubectl-client-side-apply",
		"drift/modified PodDisruptionBudget/web spec.minAvailable by kubectl-client-side-apply")
}
