package main

import "fmt"

// auditPolicy logs every finished request with its user, verb and object, and
// no bodies: enough to count requests and to see who wrote.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

func (p *plane) etcdArgs() []string {
	return []string{
		"--data-dir=" + p.path("etcd"),
		"--listen-client-urls=" + p.etcd,
		"--advertise-client-urls=" + p.etcd,
		"--listen-peer-urls=" + p.etcdPeer,
		"--initial-advertise-peer-urls=" + p.etcdPeer,
		"--initial-cluster=default=" + p.etcdPeer,
		"--unsafe-no-fsync", // a test loses nothing that matters in a power cut
		"--log-level=warn",
	}
}

func (p *plane) apiserverArgs(auditLog string) []string {
	args := []string{
		"--etcd-servers=" + p.etcd,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", p.port),
		"--tls-cert-file=" + p.path("server.crt"),
		"--tls-private-key-file=" + p.path("server.key"),
		"--client-ca-file=" + p.path("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + p.path("serviceaccount.key"),
		"--service-account-signing-key-file=" + p.path("serviceaccount.key"),
		"--service-cluster-ip-range=" + serviceRange,
		"--authorization-mode=RBAC",
		"--allow-privileged",
		"--endpoint-reconciler-type=none", // nothing routes to it, and loopback is not a valid endpoint
	}
	if auditLog != "" {
		args = append(args, "--audit-policy-file="+p.path("audit-policy.yaml"), "--audit-log-path="+auditLog, "--audit-log-mode=blocking")
	}
	return args
}

func (p *plane) controllerManagerArgs() []string {
	return []string{
		"--kubeconfig=" + p.controller,
		"--root-ca-file=" + p.path("ca.crt"),
		"--service-account-private-key-file=" + p.path("serviceaccount.key"),
		"--use-service-account-credentials",
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=2000", // so that tests need not wait for controllers that are polite
		"--kube-api-burst=4000",
		"--concurrent-deployment-syncs=20",
	}
}

func (p *plane) schedulerArgs() []string {
	return []string{
		"--kubeconfig=" + p.scheduler,
		"--leader-elect=false",
		"--secure-port=0",
	}
}
