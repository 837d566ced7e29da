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
	waits                 string // for what in the differ; then it is skipped
}

// deploy brings a release of the shop into the cluster.
type deploy = func(t *testing.T, s shop, version int)

var deployers = []deployer{
	{name: "server-side", first: "kubectl", deploy: kubectl("apply", "--server-side")},
	{name: "server-side-ci", first: "ci-deploy", deploy: kubectl("apply", "--server-side", "--field-manager=ci-deploy")},
	{name: "client-side", first: "kubectl-client-side-apply", deploy: kubectl("apply"), waits: items},
	{name: "create-then-apply", first: "kubectl-create", second: "kubectl-client-side-apply",
		deploy: first(kubectl("create", "--save-config"), kubectl("apply")), waits: defaults},
	{name: "replace", first: "kubectl-create", second: "kubectl-replace", noJob: true,
		deploy: first(kubectl("create"), kubectl("replace")), waits: defaults},
	{name: "helm3", first: "helm", deploy: helm("helm-v3"), waits: updates},
	{name: "helm4", first: "helm", deploy: helm("helm-v4"), waits: marks},
	{name: "helm4-client-side", first: "helm", deploy: helm("helm-v4", "--server-side=false"), waits: updates},
	{name: "argo", first: "argocd-controller", deploy: argo(), waits: marks},
	{name: "argo-server-side", first: "argocd-controller", deploy: argo("--server-side"), waits: marks},
	{name: "argo-replace", first: "argocd-application-controller", noJob: true, deploy: argo("--replace"), waits: updates},
	{name: "flux-kustomize", first: "kustomize-controller", deploy: flux, waits: marks},
	{name: "flux-helm", first: "helm-controller", deploy: gitops("helm", "helm-controller"), waits: marks},
	{name: "terraform", first: "HashiCorp", custom: "Terraform", deploy: terraform, waits: updates},
}

// What the differ does not know yet, so that a test waits for it.
const (
	marks    = "labels and annotations by which deployers mark objects are told as released"
	defaults = "not all defaults are known whose recorded owner is no deployer"
	updates  = "what git drops is not told where an update owns it and no annotation tells what was applied"
	items    = "an item that client-side apply owns and git drops is told field by field"
)

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
			if d.waits != "" {
				t.Skip(d.waits)
			}
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
