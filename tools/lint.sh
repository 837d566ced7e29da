#!/bin/sh
# Checks format and house style in the modules that hold code. All checks run
# before the first failure ends it.
set -u
cd "$(dirname "$0")/.."
lint=$PWD/bin/tools/golangci-lint
status=0

unformatted=$(git ls-files -co --exclude-standard -- '*.go' | while read -r f; do [ -e "$f" ] && echo "$f"; done | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'not gofmt-ed:\n%s\n' "$unformatted"
	status=1
fi

for module in . test/controlplane test/deployers/tools test/monitoring/tools; do
	echo "go vet and golangci-lint in module $module"
	(cd "$module" && go vet ./...) || status=1
	(cd "$module" && "$lint" run --allow-parallel-runners ./...) || status=1
done
exit $status
