package rogue_test

import (
	"fmt"
	"testing"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/rogue"
)

const benchDeclared = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web%[1]d}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "r/web:1", ports: [{containerPort: 80, protocol: TCP}], env: [{name: A, value: b}, {name: B, value: c}], resources: {limits: {cpu: 1}}, securityContext: {runAsNonRoot: true}, volumeMounts: [{name: cache, mountPath: /cache}]}
      - {name: log, image: "r/log:1", args: [-v], terminationMessagePath: /dev/termination-log}
      volumes: [{name: cache, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: web%[1]d}
spec: {selector: {app: web}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web%[1]d}
`

const benchLive = `apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web%[1]d-1, uid: set%[1]d, of: Deployment/web%[1]d, labels: {pod-template-hash: "1"}}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: web, pod-template-hash: "1"}}
    spec: {containers: [{name: web, image: "r/web:1", ports: [{containerPort: 80, protocol: TCP}], env: [{name: A, value: b}, {name: B, value: c}], resources: {limits: {cpu: 1}}, securityContext: {runAsNonRoot: true}, volumeMounts: [{name: cache, mountPath: /cache}]}, {name: log, image: "r/log:1", args: [-v], terminationMessagePath: /dev/termination-log}], volumes: [{name: cache, emptyDir: {}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web%[1]d-1-abcde, generateName: web%[1]d-1-, labels: {app: web, pod-template-hash: "1"}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web%[1]d-1, uid: set%[1]d, controller: true}]}
spec: {nodeName: node-0, serviceAccountName: default, containers: [{name: web, image: "r/web:1", ports: [{containerPort: 80, protocol: TCP}], env: [{name: A, value: b}, {name: B, value: c}], resources: {limits: {cpu: 1}}, securityContext: {runAsNonRoot: true}, volumeMounts: [{name: cache, mountPath: /cache}, {name: kube-api-access-x, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}]}, {name: log, image: "r/log:1", args: [-v], terminationMessagePath: /dev/termination-log}], volumes: [{name: cache, emptyDir: {}}, {name: kube-api-access-x, projected: {sources: [{serviceAccountToken: {path: token}}]}}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web%[1]d-x, of: Service/web%[1]d, labels: {endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io, kubernetes.io/service-name: web%[1]d}}
---
apiVersion: v1
kind: Endpoints
metadata: {name: web%[1]d}
`

// BenchmarkFind judges a cluster of 5,000 objects in which nothing is rogue.
func BenchmarkFind(b *testing.B) {
	var declared, all []object.Object
	for n := range 714 {
		d := decode(b, fmt.Appendf(nil, benchDeclared, n))
		declared = append(declared, d...)
		all = append(all, live(b, d, decode(b, fmt.Appendf(nil, benchLive, n)))...)
	}
	policy, err := rogue.New(v1alpha1.Scope{Namespaces: []string{"shop"}}, differ.Options{})
	if err != nil {
		b.Fatal(err)
	}
	world := rogue.World{Declared: object.LooseAll(declared), Live: object.LooseAll(all)}
	b.ReportAllocs()
	for b.Loop() {
		if r := policy.Find(world); len(r.Findings)+len(r.Unjudged) > 0 {
			b.Fatal(r.Findings, r.Unjudged)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(all)), "ns/object")
}
