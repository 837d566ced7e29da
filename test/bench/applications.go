package main

import (
	"fmt"
	"strings"
)

// kindsOfApplication are what each application declares, and replicas how many Pods it
// has: of a Deployment comes a ReplicaSet with those, and of a Service its Endpoints and
// an EndpointSlice, so that about as much again is live as is declared, as with the example
// shop.
const (
	kindsOfApplication = 5
	replicas           = 2
)

// applications declare about n objects, with a namespace that wants Pods to be restricted
// and lets nothing through by default.
func applications(n int) []file {
	files := []file{{name: "namespace.yaml", text: []byte(namespaces)}}
	for i := range n / kindsOfApplication {
		text := strings.Join([]string{
			fmt.Sprintf(deployment, i, replicas), fmt.Sprintf(configMap, i), fmt.Sprintf(exposure, i),
		}, "---\n")
		files = append(files, file{name: fmt.Sprintf("app-%04d.yaml", i), text: []byte(text)})
	}
	return files
}

// declaredBy counts the objects of files.
func declaredBy(files []file) int {
	n := 0
	for _, f := range files {
		n += 1 + strings.Count(string(f.text), "\n---\n")
	}
	return n
}

const namespaces = `apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels:
    pod-security.kubernetes.io/enforce: restricted
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: deny
  namespace: shop
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
`

// exposure is what an application has beside what it runs.
const exposure = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: app-%04[1]d
  namespace: shop
  labels:
    app.kubernetes.io/name: app-%04[1]d
    app.kubernetes.io/part-of: shop
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata:
  name: app-%04[1]d
  namespace: shop
  labels:
    app.kubernetes.io/name: app-%04[1]d
    app.kubernetes.io/part-of: shop
spec:
  selector:
    app.kubernetes.io/name: app-%04[1]d
  ports:
  - name: http
    port: 80
    targetPort: http
  - name: metrics
    port: 9102
    targetPort: metrics
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: app-%04[1]d
  namespace: shop
  labels:
    app.kubernetes.io/name: app-%04[1]d
    app.kubernetes.io/part-of: shop
  annotations:
    shop.example.com/reason: the front end asks it, and it asks the database
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: app-%04[1]d
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - podSelector:
        matchLabels:
          app.kubernetes.io/part-of: shop
    ports:
    - port: http
  egress:
  - to:
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: db
    ports:
    - port: 5432
`
