package deployers

import (
	"cmp"
	"slices"
	"testing"
)

// deployer is one way in which objects come from a repository into a cluster.
type deployer struct {
	name string
	// first is the manager that is recorded for what the first release brought;
	// second for the second, and custom for custom resources, where it is another.
	first, second, custom string
	noJob                 bool // it cannot deploy a Job twice
	deploy                deploy
}

// deploy brings a release of the shop into the cluster.
type deploy = func(t *testing.T, s shop, version int)

var deployers = []deployer{
	{name: "server-side", first: "kubectl", deploy: kubectl("apply", "--server-side")},
	{name: "server-side-ci", first: "ci-deploy", deploy: kubectl("apply", "--server-side", "--field-manager=ci-deploy")},
	{name: "client-side", first: "kubectl-client-side-apply", deploy: kubectl("apply")},
	{name: "create-then-apply", first: "kubectl-create", second: "kubectl-client-side-apply",
		deploy: first(kubectl("create", "--save-config"), kubectl("apply"))},
	{name: "replace", first: "kubectl-create", second: "kubectl-replace", noJob: true,
		deploy: first(kubectl("create"), kubectl("replace"))},
	{name: "helm3", first: "helm", deploy: helm("helm-v3")},
	{name: "helm4", first: "helm", deploy: helm("helm-v4")},
	{name: "helm4-client-side", first: "helm", deploy: helm("helm-v4", "--server-side=false")},
	{name: "argo", first: "argocd-controller", deploy: argo()},
	{name: "argo-server-side", first: "argocd-controller", deploy: argo("--server-side")},
	{name: "argo-replace", first: "argocd-application-controller", noJob: true, deploy: argo("--replace", "--track-by-label")},
	{name: "flux-kustomize", first: "kustomize-controller", deploy: flux},
	{name: "flux-helm", first: "helm-controller", deploy: gitops("helm", "helm-controller")},
	{name: "terraform", first: "HashiCorp", custom: "Terraform", deploy: terraform},
}

// first deploys the first release in one way and the others in another.
func first(one, others deploy) deploy {
	return func(t *testing.T, s shop, version int) {
		if version == 1 {
			one(t, s, version)
		} else {
			others(t, s, version)
		}
	}
}

func kubectl(args ...string) deploy {
	return func(t *testing.T, s shop, version int) { s.kubectl(t, version, args...) }
}

func helm(built string, args ...string) deploy {
	return func(t *testing.T, s shop, version int) {
		for _, chart := range charts {
			install := []string{"upgrade", "--install", chart, "testdata/" + chart, "--namespace", s.namespace, "--set", s.values(version)}
			s.run(t, "", built, "helm", append(install, args...)...)
		}
	}
}

func flux(t *testing.T, s shop, version int) {
	gitops("flux", "kustomize-controller")(t, s, version)
}

func argo(args ...string) deploy {
	return gitops("argo", "argocd-application-controller", args...)
}

func gitops(engine, name string, args ...string) deploy {
	return func(t *testing.T, s shop, version int) {
		for _, chart := range charts {
			sync := append([]string{engine, "--app=" + chart, "--namespace=" + s.namespace}, args...)
			s.run(t, s.rendered(t, chart, version), "gitops", name, sync...)
		}
	}
}

// TestDeployers deploys the first release and then the second, and wants nothing
// to be found after either; then what the third drops, which is not deployed, to
// be told; then each edit that a person makes, and nothing else.
func TestDeployers(t *testing.T) {
	for _, d := range deployers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.noJob = d.noJob
			d.deploy(t, s, 1)
			s.want(t, "after the first release", 1)
			d.deploy(t, s, 2)
			s.want(t, "after the second release", 2)
			s.want(t, "before the third release", 3, d.dropped()...)
			var want []string
			for _, e := range edits {
				s.edit(t, e)
				want = append(want, e.want)
			}
			s.want(t, "after the edits", 2, want...)
		})
	}
}

// dropped is what must be said as long as the third release is not deployed.
func (d deployer) dropped() []string {
	told := func(manager string, fields ...string) []string {
		rule := "drift/released "
		if manager == "kubectl-create" || manager == "kubectl-replace" { // no deployer's, unless somebody says so
			rule = "drift/added "
		}
		for i := range fields {
			fields[i] = rule + fields[i] + " by " + manager
		}
		return fields
	}
	return slices.Concat(
		told(d.first,
			web+" metadata.labels.team",
			"StatefulSet/db spec.template.spec.terminationGracePeriodSeconds"),
		told(cmp.Or(d.second, d.first),
			web+` metadata.annotations["example.com/review"]`,
			web+" "+container+".env[name=TRACE]",
			"ConfigMap/shop data.theme",
			"Service/web spec.ports[port=9090,protocol=TCP]"),
		told(cmp.Or(d.custom, d.second, d.first),
			"Widget/main spec.budget"))
}
