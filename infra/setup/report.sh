# What set-up tells the person: steps with their time, and one sentence when it cannot go on. All of it on stderr.

die() {  # die "what happened and why" "the fix"
    printf 'error: %s. %s\n' "$1" "$2" >&2
    exit 1
}

step() {  # step "what it does" command…; the command's status is the step's
    local what=$1 started=$SECONDS status=0
    shift
    printf '▸ %s …\n' "$what" >&2
    "$@" >&2 || status=$?
    (( status || SECONDS - started < 2 )) || printf '  done in %d s\n' $(( SECONDS - started )) >&2
    return $status
}

free_mib() { df -Pm -- "$1" | awk 'NR == 2 { print $4 }'; }

one_at_a_time() {  # two terminals may start at once: the second waits here, then finds the work done
    [[ -w $root ]] && mkdir -p "$root/.slipway" 2> /dev/null && [[ -w $root/.slipway ]] ||
        die "The user $(id -un) may not write to $root" "Run as the owner of that folder, or clone Slipway where you may write."
    exec {setup_lock}> "$root/.slipway/setup.lock"
    command -v flock > /dev/null || return 0
    flock -n "$setup_lock" && return
    printf '▸ waiting for another ./slipway that is setting up …\n' >&2
    flock "$setup_lock"
}

let_others_in() { exec {setup_lock}>&-; }

install_debian_package() {  # a fresh container has no package lists yet
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -qq -y --no-install-recommends "$@" > /dev/null 2>&1 ||
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@" > /dev/null; }
}
