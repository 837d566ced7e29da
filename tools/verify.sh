#!/bin/sh
# Checks what must agree with something else: generated files with their
# sources, go.mod and go.sum with the code, dependencies with the checksums and
# with the database of known vulnerabilities. Nothing in the tree is changed.
set -u
cd "$(dirname "$0")/.."
root=$PWD
status=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

fail() {
	echo "FAILED: $1"
	status=1
}

# generated makes everything again in a copy and compares.
generated() {
	if ! git grep -q --untracked '^//go:generate' -- '*.go'; then
		echo "generated files: there are none"
		return
	fi
	mkdir "$work/was" "$work/is"
	git ls-files -co --exclude-standard | while read -r f; do [ -e "$f" ] && echo "$f"; done |
		tar -cf "$work/tree.tar" -T -
	tar -xf "$work/tree.tar" -C "$work/was"
	tar -xf "$work/tree.tar" -C "$work/is"
	if (cd "$work/is" && go generate ./...) && diff -ru "$work/was" "$work/is"; then
		echo "generated files: up to date"
	else
		fail "generated files differ; run: go generate ./..."
	fi
}

# module checks go.mod and go.sum of one module.
module() {
	if (cd "$1" && go mod tidy -diff && go mod verify) >"$work/mod" 2>&1; then
		echo "module $1: tidy, and all modules verified"
	else
		head -n 40 "$work/mod"
		fail "module $1"
	fi
}

# vulnerabilities asks for known ones in what the product's code calls. That the
# database cannot be reached is no failure, but it is never a silent pass.
vulnerabilities() {
	"$root/bin/tools/govulncheck" ./... >"$work/vuln" 2>&1
	code=$?
	if [ $code -eq 0 ]; then
		echo "vulnerabilities: none known"
	elif [ $code -ne 3 ] && grep -q 'fetching vulnerabilities' "$work/vuln"; then
		echo "vulnerabilities: skipped: vulnerability database not reachable"
	else
		cat "$work/vuln"
		fail "vulnerabilities"
	fi
}

generated
module .
module tools
module test/controlplane
module test/deployers/tools
module test/monitoring/tools
vulnerabilities
exit $status
