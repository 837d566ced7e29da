package differ

import (
	"slices"
	"strings"
)

// The lists below are the well-known names under which programs write. They are
// data: a Baseline adds its own. A trailing * matches any ending, and
// "name/Operation" means the manager's records of that operation only.

// KnownControllers are components of a cluster that own fields by right.
var KnownControllers = []string{
	"kube-apiserver",
	"kube-controller-manager",
	"kube-scheduler",
	"kubelet",
	"kube-proxy",
	"cloud-controller-manager",
	"aws-cloud-controller-manager",
	"azure-cloud-controller-manager",
	"gcp-controller-manager",
	"glbc",
	"cluster-autoscaler",
	"karpenter",
	"vpa-*",
	"keda",
	"keda-operator",
	"cainjector",
	"cert-manager-cainjector",
	"cert-manager-*",
	"csi-*",
	"external-provisioner",
	"external-snapshotter",
	"snapshot-controller",
	"clusterrole-aggregation-controller",
	"api-priority-and-fairness-config-producer-v1",
	"ResourceClaimController",
	"storage-version-migrator-controller",
	"kwok",
}

// KnownDeployers are the field managers under which tools carry out what git
// says. They hold where nobody names the deployer.
var KnownDeployers = []string{
	"ci-deploy",
	"kubectl/Apply", // kubectl apply --server-side
	"kubectl-client-side-apply",
	"before-first-apply",
	"argocd-controller",
	"argocd-application-controller",
	"kustomize-controller",
	"helm-controller",
	"helm",
	"fleetagent",
	"kapp-server-side-apply",
	"kluctl",
	"configsync.gke.io",
	"pulumi-kubernetes*",
	"Terraform",
	"HashiCorp",
}

// KnownHumanTools are programs that people use by hand.
var KnownHumanTools = []string{
	"kubectl",
	"kubectl-annotate",
	"kubectl-autoscale",
	"kubectl-client-side-apply",
	"kubectl-create",
	"kubectl-edit",
	"kubectl-expose",
	"kubectl-label",
	"kubectl-patch",
	"kubectl-replace",
	"kubectl-rollout",
	"kubectl-run",
	"kubectl-set",
	"kubectl-taint",
	"k9s",
	"rancher",
	"node-fetch", // Lens
	"Lens",
	"OpenLens",
	"Mozilla", // consoles in a browser
	"dashboard",
	"octant",
	"okteto",
	"python-requests",
	"curl",
}

// matchesAny tells whether one of names stands for the writer.
func matchesAny(names []string, w Writer) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		name, operation, restricted := strings.Cut(name, "/")
		if restricted && operation != w.Operation {
			return false
		}
		prefix, wild := strings.CutSuffix(name, "*")
		return name == w.Manager || wild && strings.HasPrefix(w.Manager, prefix)
	})
}
