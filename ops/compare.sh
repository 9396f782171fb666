#!/bin/sh
# Runs two revisions of a stack on the local path, without an account, and writes what the change from one to the other does: the text
# that `make preview` writes with an account. The earlier revision is deployed to this machine from a worktree of its own, and the later one,
# which is the checkout as it is, is previewed over it.
#
# usage: ops/compare.sh STACK BASE
set -eu
stack=$1 base=$2
root=$(pwd)
dir=$root/.build/compare

cleanup() {
	trap - EXIT INT TERM
	(cd "$dir" 2>/dev/null && make --no-print-directory local-down) >&2 || true
	git worktree remove --force "$dir" >&2 2>&1 || true
}
git rev-parse --verify --quiet "$base^{commit}" >/dev/null || { echo "BASE: $base is no revision of this repository" >&2; exit 1; }
[ -f "Pulumi.$stack.yaml" ] || { echo "STACK: there is no Pulumi.$stack.yaml" >&2; exit 1; }
# Before minutes of deploying: are the settings right? Encrypted values cannot be read here; then the preview says what is wrong.
grep -q 'secure:' "Pulumi.$stack.yaml" || go run ./infra/check --stack "$stack" >&2
trap cleanup EXIT INT TERM
git worktree add --quiet --force --detach "$dir" "$base"
if [ ! -f "$dir/Pulumi.$stack.yaml" ]; then
	# A new stack is compared with nothing: the run only has to be there.
	cp "$root/Pulumi.$stack.yaml" "$dir/"
fi
(cd "$dir" && make --no-print-directory local STACK="$stack") >&2

# The run now reads the later revision. Files that are new or changed and not yet committed count, too.
git -C "$dir" ls-files | (cd "$dir" && xargs rm -f)
git ls-files --cached --others --exclude-standard | while read -r file; do
	[ ! -f "$file" ] || { mkdir -p "$dir/$(dirname "$file")" && cp "$file" "$dir/$file"; }
done
cd "$dir"
. .local/env
"$root/.build/bin/ops" preview --stack "$stack"
