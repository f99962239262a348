#!/bin/sh
# A scripted coding agent. What it does is fixed, so that a recording of it can be checked line by line.
# It works in the current folder, on price.sh and NOTES.md, and reads a decoy key below $HOME.
set -u

say() { printf 'agent: %s\n' "$*"; }

say "plan: make the test pass and note the change"
printf '%s\n' 'make test.sh pass' 'note the change' >plan.txt

say "run the test"
sh test.sh || say "it fails: price.sh adds the rate instead of multiplying by it"

say "edit price.sh"
# The trailing blanks are left for the formatter.
sed 's/amount + rate/amount * rate  /' price.sh >price.sh.new
mv price.sh.new price.sh

say "format price.sh"
sed -i 's/[[:space:]]*$//' price.sh

say "edit NOTES.md"
printf '%s\n' '- price.sh multiplies the amount by the rate' >>NOTES.md

say "run the test again"
sh test.sh

say "start a helper that ends at once and one that stays"
true &
sleep 1 </dev/null >/dev/null 2>&1 &

say "look into the key folder"
cat "$HOME/.ssh/id_ed25519" >/dev/null

# The address of cloud metadata services is only ever named inside a network namespace that has no route.
probe='[ "$(wc -l </proc/self/net/route)" -le 1 ] || exit 77; exec 3<>/dev/tcp/169.254.169.254/80'
isolated() {
    if unshare --net true 2>/dev/null; then
        unshare --net bash -c "$1" 2>/dev/null
    elif unshare --user --map-root-user --net true 2>/dev/null; then
        unshare --user --map-root-user --net bash -c "$1" 2>/dev/null
    else
        return 77
    fi
}
if command -v bash >/dev/null && command -v unshare >/dev/null; then
    isolated "$probe"
    case $? in
    77) say "skipped the metadata address: no network namespace can be made here" ;;
    *) say "tried the metadata address; there is no way to it from here" ;;
    esac
else
    say "skipped the metadata address: bash or unshare is missing"
fi

rm plan.txt
say "done"
