# shellcheck shell=bash disable=SC2154
# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
# How deploy/provision speaks, and puts files in place. A step that fails returns a status: set -e
# doesn't count within what || follows.

refuse() {
    echo "provision: $1" >&2
    exit 2
}

failed() {
    echo "provision: $1" >&2
    echo "Nothing was lost: the same command goes on from here." >&2
    exit 1
}

said() {
    printf '%-10s %s\n' "$1" "$2"
}

# Do a step, or say that it would be done.
does() {
    local what=$1
    shift
    if [ -n "$dry" ]; then
        said would "$what"
        return 0
    fi
    "$@" || failed "could not $what: see above."
    said 'done' "$what"
}

# The digest by which a file was installed last, if it was.
installed_digest() {
    sed -n "s|^\([0-9a-f]*\)  $1\$|\1|p" "$root/opt/swarm-ledger/installed" 2>/dev/null || true
}

digest() {
    local found
    found=$(sha256sum <"$1")
    echo "${found%% *}"
}

put_file() {
    local fresh=$1 path=$2 mode=$3 listed=$root/opt/swarm-ledger/installed
    install -D -m "$mode" "$fresh" "$root$path.partial" &&
        mv "$root$path.partial" "$root$path" || return 1
    { grep -v "  $path\$" "$listed" 2>/dev/null || true; } >"$listed.partial"
    echo "$(digest "$fresh")  $path" >>"$listed.partial"
    mv "$listed.partial" "$listed"
}

# Install a file. What somebody has changed since is left alone, and the new one put beside it.
places() {
    local fresh=$1 path=$2 mode=${3:-0644} there
    if [ -e "$root$path" ]; then
        there=$(digest "$root$path")
        if [ "$there" = "$(digest "$fresh")" ]; then
            said unchanged "$path"
            return 0
        elif [ "$there" != "$(installed_digest "$path")" ]; then
            if [ "$(digest "$fresh")" = "$(installed_digest "$path")" ]; then
                said kept "$path, which was changed here"
            else
                said kept "$path, which was changed here; the new one is $path.new"
                [ -n "$dry" ] || install -m "$mode" "$fresh" "$root$path.new"
            fi
            return 0
        fi
    fi
    does "install $path" put_file "$fresh" "$path" "$mode"
}
