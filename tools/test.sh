#!/bin/sh
# Runs the tests of every module that has some and prints test2json events, for
# gotestsum to show and count. One failing module does not hide the others.
set -u
cd "$(dirname "$0")/.."

race=-race
export CGO_ENABLED=1
set -- $(go env CC) # may carry arguments
if ! command -v "${1:-cc}" >/dev/null 2>&1; then
	race=
	export CGO_ENABLED=0
	echo "warning: no C compiler (${1:-cc}), so the tests run without the race detector" >&2
fi

status=0
go test -json -timeout 20m $race ./... || status=1
# Without -race it shares what "make controlplane" compiled; Kubernetes is not
# what is tested here.
(cd test/controlplane && go test -json -timeout 10m ./...) || status=1
exit $status
