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
	"openshift-controller-manager",
	"cluster-policy-controller",
	"cluster-version-operator",
	"pod-security-admission-label-synchronization-controller",
}

// KnownDeployers are the field managers under which tools carry out what git
// says. They hold where nobody names the deployer.
var KnownDeployers = []string{
	"ci-deploy",
	"plumbline",     // which puts back what nobody else is known to deploy
	"kubectl/Apply", // kubectl apply --server-side
	"kubectl-client-side-apply",
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
	"kubectl-debug",
	"kubectl-edit",
	"kubectl-expose",
	"kubectl-label",
	"kubectl-last-applied",
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
	"Freelens",
	"Headlamp*",
	"argocd-server", // actions on Argo CD's page, such as a restart
	"Mozilla",       // consoles in a browser
	"dashboard",
	"octant",
	"okteto",
	"python-requests",
	"curl",
}

// assignRoles tells what each owner of an object is to us. Where nobody has named
// the deployer it is whoever is known as one; but what one of those that are no
// tools of people has written was not deployed with kubectl, so that a manifest
// that somebody applies by hand is no deployment.
func (o Options) assignRoles(owners []owner) {
	byMachine := slices.ContainsFunc(owners, func(by owner) bool {
		return !by.writer.Person && matchesAny(KnownDeployers, by.writer)
	})
	for i := range owners {
		w := owners[i].writer
		owners[i].role = o.role(w, byMachine && w.Person)
	}
}

// role tells what a writer is to us: what somebody has named it, else what it is
// known as. A known deployer that works by hand is none.
func (o Options) role(w Writer, byHand bool) role {
	switch {
	case matchesAny(o.Deployers, w):
		return deployer
	case matchesAny(o.Controllers, w):
		return controller
	case len(o.Deployers) == 0 && !byHand && matchesAny(KnownDeployers, w):
		return deployer
	case matchesAny(KnownControllers, w):
		return controller
	default:
		return foreign
	}
}

// deployerMarks are the labels and annotations with which deployers mark what
// they deploy, on top of what git declares: whose it is, and from where. They are
// no drift as long as only deployers wrote them.
var deployerMarks = []string{
	"app.kubernetes.io/managed-by", // Helm, Pulumi, Config Sync
	"meta.helm.sh/release-name",
	"meta.helm.sh/release-namespace",
	"argocd.argoproj.io/installation-id",
	"argocd.argoproj.io/tracking-id",
	"kustomize.toolkit.fluxcd.io/name",
	"kustomize.toolkit.fluxcd.io/namespace",
	"helm.toolkit.fluxcd.io/name",
	"helm.toolkit.fluxcd.io/namespace",
	"objectset.rio.cattle.io/*", // Fleet
	"kapp.k14s.io/*",
	"kluctl.io/*",
	"configmanagement.gke.io/*", // Config Sync
	"configsync.gke.io/*",
	"config.k8s.io/owning-inventory",
	"applyset.kubernetes.io/part-of", // kubectl apply --applyset
}

// isMark tells whether name is that of a label or annotation by which deployers
// mark what they deploy. Argo CD may track by a label that is everybody's.
func isMark(name string, by Writer) bool {
	if name == "app.kubernetes.io/instance" {
		return strings.HasPrefix(by.Manager, "argocd-")
	}
	return slices.ContainsFunc(deployerMarks, func(mark string) bool {
		prefix, wild := strings.CutSuffix(mark, "*")
		return name == mark || wild && strings.HasPrefix(name, prefix)
	})
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
