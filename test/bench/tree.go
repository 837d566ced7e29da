package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// namespace is where all objects live.
const namespace = "shop"

// file is a file of the tree: its name and the objects that it declares.
type file struct {
	name string
	text []byte
}

// objects are n, one object per file: the layout of a repository to which something
// else has already rendered its objects.
func objects(n int) []file {
	files := make([]file, n)
	for i := range files {
		files[i] = declare(i)
	}
	return files
}

// writeTree writes the files into dir, and a kustomization that does nothing but list
// them.
func writeTree(dir string, files []file) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	kustomization := bytes.NewBufferString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n")
	for _, f := range files {
		fmt.Fprintf(kustomization, "- %s\n", f.name)
	}
	for _, f := range append(slices.Clone(files), file{name: "kustomization.yaml", text: kustomization.Bytes()}) {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// declare returns the i-th object: a Deployment or a ConfigMap in turn.
func declare(i int) file {
	if i%2 == 0 {
		return file{name: fmt.Sprintf("app-%04d-deployment.yaml", i/2), text: fmt.Appendf(nil, deployment, i/2, 0)}
	}
	return file{name: fmt.Sprintf("app-%04d-configmap.yaml", i/2), text: fmt.Appendf(nil, configMap, i/2)}
}

// baseline has all rules look at the objects but those that ask registries, and that
// about a namespace's default deny, which is one question for all of them.
const baseline = `apiVersion: plumbline.dev/v1alpha1
kind: Baseline
metadata: {name: bench}
spec:
  scope: {namespaces: [shop]}
  deployer: {managers: [ci-deploy]}
  sources:
    registries: [registry.example.com/shop]
    tags: Fixed
    charts: [charts.example.com]
    repositories: [git.example.com]
    releases: Read
  posture:
    podSecurity: restricted
    justification: shop.example.com/reason
    groups: true
    secrets: true
  runtime: {maxAge: 24h, outliers: true}
`

// sizeOf returns how many bytes the files of a directory hold.
func sizeOf(dir string) int64 {
	var size int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size
}

// deployment has what a grown one has, and as many replicas as are given.
const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-%04[1]d
  namespace: shop
  labels:
    app.kubernetes.io/name: app-%04[1]d
    app.kubernetes.io/part-of: shop
    app.kubernetes.io/managed-by: ci
  annotations:
    shop.example.com/owner: team-%04[1]d@example.com
spec:
  replicas: %[2]d
  revisionHistoryLimit: 3
  selector:
    matchLabels:
      app.kubernetes.io/name: app-%04[1]d
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  template:
    metadata:
      labels:
        app.kubernetes.io/name: app-%04[1]d
        app.kubernetes.io/part-of: shop
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "9102"
    spec:
      serviceAccountName: app-%04[1]d
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 45
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        fsGroup: 10001
        seccompProfile:
          type: RuntimeDefault
      initContainers:
      - name: migrate
        image: registry.example.com/shop/migrate:1.4.%[1]d
        securityContext:
          allowPrivilegeEscalation: false
          capabilities:
            drop: ["ALL"]
        args: ["up", "--dir=/migrations"]
        env:
        - name: DATABASE_HOST
          value: db.shop.svc
      containers:
      - name: web
        image: registry.example.com/shop/app:2.7.%[1]d
        args: ["--listen=:8080", "--log-format=json"]
        ports:
        - name: http
          containerPort: 8080
        env:
        - name: MODE
          value: production
        - name: DATABASE_HOST
          value: db.shop.svc
        - name: DATABASE_POOL
          value: "20"
        - name: CACHE_URL
          value: redis://cache.shop.svc:6379/%[1]d
        - name: FEATURES
          value: search,basket,wishlist
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: GREETING
          valueFrom:
            configMapKeyRef:
              name: app-%04[1]d
              key: greeting
        resources:
          requests:
            cpu: 100m
            memory: 128Mi
          limits:
            memory: 256Mi
        readinessProbe:
          httpGet:
            path: /ready
            port: http
          periodSeconds: 5
        livenessProbe:
          httpGet:
            path: /healthz
            port: http
          initialDelaySeconds: 15
          periodSeconds: 20
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities:
            drop: ["ALL"]
        volumeMounts:
        - name: config
          mountPath: /etc/app
          readOnly: true
        - name: tmp
          mountPath: /tmp
      - name: metrics
        image: registry.example.com/shop/exporter:0.9.3
        securityContext:
          allowPrivilegeEscalation: false
          capabilities:
            drop: ["ALL"]
        ports:
        - name: metrics
          containerPort: 9102
        resources:
          requests:
            cpu: 10m
            memory: 32Mi
        readinessProbe:
          tcpSocket:
            port: metrics
      volumes:
      - name: config
        configMap:
          name: app-%04[1]d
      - name: tmp
        emptyDir:
          sizeLimit: 64Mi
`

// configMap holds about a kilobyte.
const configMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: app-%04[1]d
  namespace: shop
  labels:
    app.kubernetes.io/name: app-%04[1]d
    app.kubernetes.io/part-of: shop
data:
  greeting: Welcome to shop number %[1]d
  log-level: info
  request-timeout: 30s
  app.yaml: |
    server:
      listen: 0.0.0.0:8080
      readTimeout: 10s
      writeTimeout: 30s
      maxHeaderBytes: 65536
    database:
      host: db.shop.svc
      port: 5432
      name: app_%04[1]d
      pool: {min: 2, max: 20, idle: 5m}
    cache:
      url: redis://cache.shop.svc:6379/%[1]d
      ttl: 15m
    features:
      search: {enabled: true, backend: index-%[1]d}
      basket: {enabled: true, limit: 100}
      wishlist: {enabled: false}
    upstreams:
    - {name: catalogue, url: "http://catalogue.shop.svc:8080", retries: 3}
    - {name: prices, url: "http://prices.shop.svc:8080", retries: 3}
    - {name: stock, url: "http://stock.shop.svc:8080", retries: 1}
  robots.txt: |
    User-agent: *
    Disallow: /basket
    Disallow: /account
`
