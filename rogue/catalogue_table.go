package rogue

import "plumbline.dev/plumbline/quarantine"

// passing are kinds that are no configuration, but state that components of a cluster
// keep in it, reports and requests. Nobody declares them.
var passing = map[string]bool{
	"Binding": true,
	"CertificateSigningRequest.certificates.k8s.io": true,
	"PodCertificateRequest.certificates.k8s.io":     true,
	"ComponentStatus":                          true,
	"CSINode.storage.k8s.io":                   true,
	"CSIStorageCapacity.storage.k8s.io":        true,
	"Event":                                    true,
	"IPAddress.networking.k8s.io":              true,
	"Lease.coordination.k8s.io":                true,
	"LeaseCandidate.coordination.k8s.io":       true,
	"ResourceSlice.resource.k8s.io":            true,
	"StorageVersion.internal.apiserver.k8s.io": true,
	"VolumeAttachment.storage.k8s.io":          true,

	"Finding.plumbline.dev": true, // our own

	"Addon.k3s.cattle.io":                      true,
	"ETCDSnapshotFile.k3s.cattle.io":           true,
	"BlockAffinity.crd.projectcalico.org":      true,
	"ClusterInformation.crd.projectcalico.org": true,
	"IPAMBlock.crd.projectcalico.org":          true,
	"IPAMConfig.crd.projectcalico.org":         true,
	"IPAMHandle.crd.projectcalico.org":         true,
	"CiliumEndpoint.cilium.io":                 true,
	"CiliumEndpointSlice.cilium.io":            true,
	"CiliumIdentity.cilium.io":                 true,
	"CiliumNode.cilium.io":                     true,
	"CNINode.vpcresources.k8s.aws":             true,
	"PolicyEndpoint.networking.k8s.aws":        true,
}

// passingGroups are API groups all of whose kinds are.
var passingGroups = map[string]bool{
	"authentication.k8s.io":   true,
	"authorization.k8s.io":    true,
	"custom.metrics.k8s.io":   true,
	"events.k8s.io":           true,
	"external.metrics.k8s.io": true,
	"metrics.k8s.io":          true,
	"openreports.io":          true,
	"reports.kyverno.io":      true,
	"wgpolicyk8s.io":          true,
	"aquasecurity.github.io":  true,
}

// rbacDefaults mark the roles and bindings that each API server writes when it starts.
// Anyone could write the marks, and so the names are told one by one.
var (
	rbacDefaults = map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"}
	rbacUpdated  = map[string]string{"rbac.authorization.kubernetes.io/autoupdate": "*"}
)

// catalogue is what clusters make by themselves, by kind. Sources: the bootstrap
// policies and controllers of k8s.io/kubernetes, as a control plane of v1.36 shows
// them, kubeadm's phases, and what the distributions document of themselves.
var catalogue = map[string][]entry{
	"APIService.apiregistration.k8s.io": {{names: []string{"v*"}, fits: isAutoregistered}},
	"ClusterRole.rbac.authorization.k8s.io": {
		{names: bootstrapRoles, labels: rbacDefaults, annotations: rbacUpdated},
		{names: controllerRoles, labels: rbacDefaults, annotations: rbacUpdated},
		{names: []string{"kubeadm:get-nodes", "system:coredns"}},
		{names: []string{"gce:cloud-provider", "gce:beta:kubelet-certificate-bootstrap", "gce:beta:kubelet-certificate-rotation"}, on: gke},
		{names: []string{"eks:addon-manager", "eks:az-poller", "eks:certificate-controller-approver", "eks:certificate-controller-signer",
			"eks:cloud-controller-manager", "eks:cluster-event-watcher", "eks:fargate-manager", "eks:fargate-scheduler", "eks:k8s-metrics",
			"eks:node-bootstrapper", "eks:node-manager", "eks:nodewatcher", "eks:pod-identity-mutating-webhook", "eks:service-operations",
			"eks:tagging-controller"}, on: eks},
	},
	"ClusterRoleBinding.rbac.authorization.k8s.io": {
		{names: bootstrapBindings, labels: rbacDefaults, annotations: rbacUpdated},
		{names: controllerRoles, labels: rbacDefaults, annotations: rbacUpdated},
		{names: []string{"kubeadm:cluster-admins", "kubeadm:get-nodes", "kubeadm:kubelet-bootstrap", "kubeadm:node-autoapprove-bootstrap",
			"kubeadm:node-autoapprove-certificate-rotation", "kubeadm:node-proxier", "system:coredns"}},
	},
	"NetworkPolicy.networking.k8s.io": {{namespace: "*", names: []string{quarantine.PolicyID("").Name}, fits: isQuarantine}}, // our own
	"ConfigMap": {
		{namespace: "*", names: []string{"kube-root-ca.crt"}},
		{namespace: "*", names: []string{"istio-ca-root-cert"}, labels: map[string]string{"istio.io/config": "true"}},
		{namespace: "*", names: []string{"openshift-service-ca.crt"}, on: openshift,
			annotations: map[string]string{"service.beta.openshift.io/inject-cabundle": "true"}},
		{namespace: "kube-public", names: []string{"cluster-info"}},
		{namespace: "kube-system", names: []string{"extension-apiserver-authentication", "kube-apiserver-legacy-service-account-token-tracking",
			"kubeadm-config", "kubelet-config", "kube-proxy", "coredns"}},
		{namespace: "kube-system", names: []string{"aws-auth", "amazon-vpc-cni", "kube-proxy-config"}, on: eks},
	},
	"DaemonSet.apps":  {{namespace: "kube-system", names: []string{"kube-proxy"}, labels: map[string]string{"k8s-app": "kube-proxy"}}},
	"Deployment.apps": {{namespace: "kube-system", names: []string{"coredns"}, labels: map[string]string{"k8s-app": "kube-dns"}}},
	"Endpoints":       {{namespace: "default", names: []string{"kubernetes"}}},
	"EndpointSlice.discovery.k8s.io": {{namespace: "default", names: []string{"kubernetes"},
		labels: map[string]string{"kubernetes.io/service-name": "kubernetes"}}},
	"FlowSchema.flowcontrol.apiserver.k8s.io": {{names: flowSchemas, annotations: map[string]string{"apf.kubernetes.io/autoupdate-spec": "*"}}},
	"PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io": {{names: priorityLevels,
		annotations: map[string]string{"apf.kubernetes.io/autoupdate-spec": "*"}}},
	"Namespace": {
		{names: []string{"default", "kube-system", "kube-public", "kube-node-lease"}},
		{names: []string{"gke-managed-*", "gmp-public", "gmp-system"}, on: gke},
		{names: []string{"openshift", "openshift-*"}, on: openshift},
	},
	"Node":             {{names: []string{"*"}}},
	"PersistentVolume": {{names: []string{"pvc-*"}, annotations: map[string]string{"pv.kubernetes.io/provisioned-by": "*"}, fits: isProvisioned}},
	"PriorityClass.scheduling.k8s.io": {
		{names: []string{"system-cluster-critical", "system-node-critical"}},
		{names: []string{"openshift-user-critical"}, on: openshift},
	},
	"ResourceQuota": {{namespace: "*", names: []string{"gke-resource-quotas"}, on: gke}},
	"Role.rbac.authorization.k8s.io": {
		{namespace: "kube-system", names: systemRoles, labels: rbacDefaults, annotations: rbacUpdated},
		{namespace: "kube-public", names: []string{"system:controller:bootstrap-signer"}, labels: rbacDefaults, annotations: rbacUpdated},
		{namespace: "kube-public", names: []string{"kubeadm:bootstrap-signer-clusterinfo"}},
		{namespace: "kube-system", names: []string{"kube-proxy", "kubeadm:kubelet-config", "kubeadm:nodes-kubeadm-config"}},
	},
	"RoleBinding.rbac.authorization.k8s.io": {
		{namespace: "kube-system", names: systemRoles, labels: rbacDefaults, annotations: rbacUpdated},
		{namespace: "kube-system", names: []string{"system::extension-apiserver-authentication-reader"}, labels: rbacDefaults, annotations: rbacUpdated},
		{namespace: "kube-public", names: []string{"system:controller:bootstrap-signer"}, labels: rbacDefaults, annotations: rbacUpdated},
		{namespace: "kube-public", names: []string{"kubeadm:bootstrap-signer-clusterinfo"}},
		{namespace: "kube-system", names: []string{"kube-proxy", "kubeadm:kubelet-config", "kubeadm:nodes-kubeadm-config"}},
		{namespace: "*", names: []string{"system:deployers", "system:image-builders", "system:image-pullers"}, on: openshift},
	},
	"Service": {
		{namespace: "default", names: []string{"kubernetes"}, labels: map[string]string{"component": "apiserver", "provider": "kubernetes"}},
		{namespace: "kube-system", names: []string{"kube-dns"}, labels: map[string]string{"k8s-app": "kube-dns"}},
	},
	"ServiceAccount": {
		{namespace: "*", names: []string{"default"}},
		{namespace: "*", names: []string{"builder", "deployer"}, on: openshift},
		{namespace: "kube-system", names: controllerAccounts},
		{namespace: "kube-system", names: []string{"coredns", "kube-proxy"}},
	},
	"ServiceCIDR.networking.k8s.io": {{names: []string{"kubernetes"}}},
}

var bootstrapRoles = []string{
	"admin", "cluster-admin", "edit", "system:aggregate-to-admin", "system:aggregate-to-edit",
	"system:aggregate-to-view", "system:auth-delegator", "system:basic-user",
	"system:certificates.k8s.io:certificatesigningrequests:nodeclient",
	"system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
	"system:certificates.k8s.io:kube-apiserver-client-approver",
	"system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
	"system:certificates.k8s.io:kubelet-serving-approver", "system:certificates.k8s.io:legacy-unknown-approver",
	"system:discovery", "system:heapster", "system:kube-aggregator", "system:kube-controller-manager",
	"system:kube-dns", "system:kube-scheduler", "system:kubelet-api-admin", "system:monitoring", "system:node",
	"system:node-bootstrapper", "system:node-problem-detector", "system:node-proxier",
	"system:persistent-volume-provisioner", "system:public-info-viewer",
	"system:service-account-issuer-discovery", "system:volume-scheduler", "view",
}

var bootstrapBindings = []string{
	"cluster-admin", "system:basic-user", "system:discovery", "system:kube-controller-manager", "system:kube-dns",
	"system:kube-scheduler", "system:monitoring", "system:node", "system:node-proxier",
	"system:public-info-viewer", "system:service-account-issuer-discovery", "system:volume-scheduler",
}

// controllerRoles are those of the controller manager's controllers.
var controllerRoles = []string{
	"system:controller:attachdetach-controller", "system:controller:bootstrap-signer",
	"system:controller:certificate-controller", "system:controller:cloud-node-lifecycle-controller",
	"system:controller:clusterrole-aggregation-controller", "system:controller:cronjob-controller",
	"system:controller:daemon-set-controller", "system:controller:deployment-controller",
	"system:controller:device-taint-eviction-controller", "system:controller:disruption-controller",
	"system:controller:endpoint-controller", "system:controller:endpointslice-controller",
	"system:controller:endpointslicemirroring-controller", "system:controller:ephemeral-volume-controller",
	"system:controller:expand-controller", "system:controller:generic-garbage-collector",
	"system:controller:horizontal-pod-autoscaler", "system:controller:job-controller",
	"system:controller:kube-apiserver-serving-clustertrustbundle-publisher",
	"system:controller:legacy-service-account-token-cleaner", "system:controller:namespace-controller",
	"system:controller:node-controller", "system:controller:persistent-volume-binder",
	"system:controller:pod-garbage-collector", "system:controller:podcertificaterequestcleaner-controller",
	"system:controller:pv-protection-controller", "system:controller:pvc-protection-controller",
	"system:controller:replicaset-controller", "system:controller:replication-controller",
	"system:controller:resource-claim-controller", "system:controller:resourcequota-controller",
	"system:controller:root-ca-cert-publisher", "system:controller:route-controller",
	"system:controller:selinux-warning-controller", "system:controller:service-account-controller",
	"system:controller:service-cidrs-controller", "system:controller:service-controller",
	"system:controller:statefulset-controller", "system:controller:storage-version-migrator-controller",
	"system:controller:storageversion-garbage-collector", "system:controller:taint-eviction-controller",
	"system:controller:token-cleaner", "system:controller:tokens-controller",
	"system:controller:ttl-after-finished-controller", "system:controller:ttl-controller",
	"system:controller:vac-protection-controller",
	"system:controller:validatingadmissionpolicy-status-controller",
	"system:controller:volumeattributesclass-protection-controller",
}

// controllerAccounts are the accounts with which they work.
var controllerAccounts = []string{
	"attachdetach-controller", "bootstrap-signer", "certificate-controller", "cloud-node-lifecycle-controller",
	"clusterrole-aggregation-controller", "cronjob-controller", "daemon-set-controller", "deployment-controller",
	"device-taint-eviction-controller", "disruption-controller", "endpoint-controller",
	"endpointslice-controller", "endpointslicemirroring-controller", "ephemeral-volume-controller",
	"expand-controller", "generic-garbage-collector", "horizontal-pod-autoscaler", "job-controller",
	"kube-apiserver-serving-clustertrustbundle-publisher", "legacy-service-account-token-cleaner",
	"namespace-controller", "node-controller", "persistent-volume-binder", "pod-garbage-collector",
	"podcertificaterequestcleaner-controller", "pv-protection-controller", "pvc-protection-controller",
	"replicaset-controller", "replication-controller", "resource-claim-controller", "resourcequota-controller",
	"root-ca-cert-publisher", "route-controller", "selinux-warning-controller", "service-account-controller",
	"service-cidrs-controller", "service-controller", "statefulset-controller",
	"storage-version-migrator-controller", "storageversion-garbage-collector", "taint-eviction-controller",
	"token-cleaner", "tokens-controller", "ttl-after-finished-controller", "ttl-controller",
	"vac-protection-controller", "validatingadmissionpolicy-status-controller",
	"volumeattributesclass-protection-controller",
}

var systemRoles = []string{
	"extension-apiserver-authentication-reader",
	"system::leader-locking-kube-controller-manager", "system::leader-locking-kube-scheduler",
	"system:controller:bootstrap-signer", "system:controller:cloud-provider", "system:controller:token-cleaner",
}

var flowSchemas = []string{
	"catch-all", "endpoint-controller", "exempt", "global-default", "kube-controller-manager", "kube-scheduler",
	"kube-system-service-accounts", "probes", "service-accounts", "system-leader-election", "system-node-high",
	"system-nodes", "workload-leader-election",
}

var priorityLevels = []string{
	"catch-all", "exempt", "global-default", "leader-election", "node-high", "system", "workload-high",
	"workload-low",
}
