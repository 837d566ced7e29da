#!/bin/sh
# Reviews a change in continuous integration: one comparison, told in the log, as
# Markdown, as SARIF and as JUnit's XML. The exit code is plumbline's: 0 nothing found,
# 1 findings, 2 an error, 3 something could not be compared.
#
# All that comes from outside is in the environment, where nothing can take it for code:
#
#   PLUMBLINE            the program; plumbline by default
#   PLUMBLINE_DIRECTORY  what to review, in the checkout
#   PLUMBLINE_REPORTS    a directory for the reports
#   PLUMBLINE_BASE, PLUMBLINE_FAIL_ON, PLUMBLINE_BASELINE, PLUMBLINE_KUBECONFIG,
#   PLUMBLINE_LIVE       the flags of these names; left out where empty
#   PLUMBLINE_OFFLINE    true or false
set -u

# What a job summary of GitHub (1,048,576 bytes) and a comment on GitLab hold.
limit=1000000

fail() {
	echo "plumbline: $1" >&2
	exit 2
}

[ -n "${PLUMBLINE_DIRECTORY:-}" ] || fail "no directory is named: set PLUMBLINE_DIRECTORY"
[ -n "${PLUMBLINE_REPORTS:-}" ] || fail "there is no place for the reports: set PLUMBLINE_REPORTS"
case $PLUMBLINE_REPORTS in
/*) reports=$PLUMBLINE_REPORTS ;;
*) reports=./$PLUMBLINE_REPORTS ;;
esac
mkdir -p "$reports" || fail "the directory for the reports cannot be made"
markdown=$reports/plumbline.md sarif=$reports/plumbline.sarif junit=$reports/plumbline.junit.xml
rm -f "$markdown" "$sarif" "$junit" || fail "the reports of an earlier run cannot be removed"

set -- --base="${PLUMBLINE_BASE:-auto}" --markdown-limit="$limit" \
	--write="markdown=$markdown" --write="sarif=$sarif" --write="junit=$junit"
[ -z "${PLUMBLINE_FAIL_ON:-}" ] || set -- "$@" --fail-on="$PLUMBLINE_FAIL_ON"
[ -z "${PLUMBLINE_BASELINE:-}" ] || set -- "$@" --filename="$PLUMBLINE_BASELINE"
[ -z "${PLUMBLINE_KUBECONFIG:-}" ] || set -- "$@" --kubeconfig="$PLUMBLINE_KUBECONFIG"
[ -z "${PLUMBLINE_LIVE:-}" ] || set -- "$@" --live="$PLUMBLINE_LIVE"
case ${PLUMBLINE_OFFLINE:-false} in
true) set -- "$@" --offline ;;
false) ;;
*) fail "PLUMBLINE_OFFLINE is neither true nor false" ;;
esac

# A line of the log may be a command to GitHub's runner, and names and values come from
# the change: until the token, which nobody can know before, none is.
token=
if [ "${GITHUB_ACTIONS:-}" = true ]; then
	token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	[ "${#token}" -eq 32 ] || fail "there is no randomness to keep the log from commanding the runner"
	echo "::stop-commands::$token"
fi
code=0
"${PLUMBLINE:-plumbline}" diff "$@" -- "$PLUMBLINE_DIRECTORY" 2>&1 || code=$?
[ -z "$token" ] || printf '\n::%s::\n' "$token"

# Without a report there is nothing to be content with, whatever the exit code.
if ! [ -s "$markdown" ] || ! [ -s "$sarif" ] || ! [ -s "$junit" ]; then
	[ "$code" -ne 0 ] || code=2
	printf '### Plumbline: nothing was compared\n\nIt ended with exit code %s. The log of the job says why.\n' "$code" >"$markdown"
	rm -f "$sarif" "$junit"
fi

if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
	cat "$markdown" >>"$GITHUB_STEP_SUMMARY" || fail "the job summary cannot be written"
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
	{
		echo "exit-code=$code"
		echo "markdown=$markdown"
		[ ! -e "$sarif" ] || echo "sarif=$sarif"
		[ ! -e "$junit" ] || echo "junit=$junit"
	} >>"$GITHUB_OUTPUT" || fail "the step's outputs cannot be written"
fi
exit "$code"
