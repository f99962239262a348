#!/bin/sh
# Writes the reviews of this folder anew: what two published versions of a package differ in, as the two commits of a
# repository that is thrown away. Packages come through cargo, pip and npm; nothing of them is run.
#
#   AGENTPROV=target/release/agentprov docs/examples/make.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
agentprov=$(realpath "${AGENTPROV:-$(command -v agentprov)}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export GIT_AUTHOR_NAME=example GIT_AUTHOR_EMAIL=example@example.org GIT_AUTHOR_DATE='2026-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=example GIT_COMMITTER_EMAIL=example@example.org GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
# A review of these says nothing of the settings of whoever makes them.
for name in $(env | sed -n 's/^\(PROVENANCE_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
# Lines of a review that are kept.
lines=60

# Each puts one version of a package into a folder.
crate() {
    mkdir -p "$scratch/project/src" && : > "$scratch/project/src/lib.rs"
    printf '[package]\nname = "example"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n%s = { version = "=%s", default-features = false }\n' "$1" "$2" > "$scratch/project/Cargo.toml"
    (cd "$scratch/project" && rm -rf vendor Cargo.lock && cargo vendor --quiet > /dev/null)
    mv "$scratch/project/vendor/$1" "$3"
    rm -f "$3/.cargo-checksum.json" "$3/Cargo.toml.orig" "$3/Cargo.lock"
}

wheel() {
    python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$scratch/wheel" "$1==$2"
    mkdir -p "$3" && python3 -m zipfile -e "$scratch/wheel/$1-$2"-*.whl "$3"
    rm -rf "$3"/*.dist-info
}

npm_package() {
    mkdir -p "$3" && (cd "$scratch" && npm pack --silent "$1@$2" > /dev/null && tar xzf "$1-$2.tgz" -C "$3" --strip-components 1)
}

review() { # how to get it, its registry, name, version before, version after
    git init --quiet --initial-branch main "$scratch/repository"
    for version in "$4" "$5"; do
        find "$scratch/repository" -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +
        rm -rf "$scratch/files" && "$1" "$3" "$version" "$scratch/files" && cp -r "$scratch/files/." "$scratch/repository"
        git -C "$scratch/repository" add --all --force
        git -C "$scratch/repository" commit --quiet --message "$3 $version"
    done
    found=$scratch/found
    (cd "$scratch/repository" && "$agentprov" --data-dir "$scratch/none" review HEAD~1..HEAD --semgrep off --fail-on block) > "$found" || [ $? -eq 1 ]
    {
        printf '# %s %s to %s (%s)\n\n' "$3" "$4" "$5" "$2"
        printf 'Both versions as they were published, unpacked as two commits; nobody recorded who wrote them, so no line has an owner.\n\n'
        printf '```console\n$ agentprov review HEAD~1..HEAD --semgrep off\n'
        if [ "$(wc -l < "$found")" -le "$lines" ]; then
            cat "$found"
        else
            # What was decided stands at the end.
            ended=$(grep -n '^outcome ' "$found" | tail -n 1 | cut -d : -f 1)
            head -n "$lines" "$found"
            printf '\n[%s lines are left out here]\n\n' $((ended - lines - 1))
            tail -n "+$ended" "$found"
        fi
        printf '```\n'
    } > "$here/$3.md"
    rm -rf "$scratch/repository"
}

review crate crates.io cc 1.0.79 1.0.98
review wheel PyPI joblib 1.1.0 1.2.0
review npm_package npm shelljs 0.8.5 0.9.2
