# Makes .venv from requirements/lock.txt: through uv, which it fetches if missing, else with venv and pip.
# Sourced by ./slipway, which sets $root, $lock, $stamp and $want.
source "$root/infra/setup/report.sh"

tools="$root/.slipway/tools"
export PIP_ROOT_USER_ACTION=ignore
readonly venv_mib=2600   # measured: 1.8 GB, 0.4 GB of bytecode by and by, and room for what is being unpacked
apt_line="apt-get install python3.11 python3.11-venv"

set_up_environment() {
    one_at_a_time
    if ! is_set_up; then
        find_python
        # Without a stamp the folder is half-made: start over. With one, uv changes only what differs.
        is_stamped || { rm -rf -- "$root/.venv"; need_space; }
        rm -f -- "$stamp"
        install_with_uv || install_with_pip || explain_failed_install
        # Relative to site-packages, so that a checkout which is moved still finds itself.
        printf '../../../..\n' > "$root/.venv/lib/python3.11/site-packages/slipway.pth"
        printf '%s\n' "$want" > "$stamp"
    fi
    let_others_in
}

find_python() {  # sets $python to a base interpreter: the one on PATH may be that of the .venv about to be replaced
    local candidate
    for candidate in ${SLIPWAY_PYTHON:+"$SLIPWAY_PYTHON"} python3.11 python3; do
        python=$("$candidate" -c 'import sys; sys.version_info[:2] == (3, 11) and print(sys._base_executable)' 2> /dev/null) || true
        [[ -z $python ]] || return 0
        [[ $candidate != "${SLIPWAY_PYTHON:-}" ]] ||
            die "SLIPWAY_PYTHON=$candidate is not a Python 3.11" "Let it name a Python 3.11 interpreter, or unset it."
    done
    local found
    found=$(python3 -c 'import platform; print("only Python", platform.python_version())' 2> /dev/null) || found="no Python at all"
    die "Slipway needs Python 3.11 and found $found" \
        "On Debian 12 run: $apt_line (elsewhere: set SLIPWAY_PYTHON to a Python 3.11)."
}

need_space() {
    local free
    free=$(free_mib "$root")
    (( free >= venv_mib )) ||
        die "Set-up needs $venv_mib MB of disk and $root has $free MB left" "Free some space, then run it again."
}

find_pip() {  # sets $pip; the interpreter's own, else one in a folder of ours
    pip=("$python" -m pip)
    "${pip[@]}" --version &> /dev/null && return
    pip=("$tools/pip/bin/python" -m pip)
    "${pip[@]}" --version &> /dev/null && return
    "$python" -m venv --clear "$tools/pip" &> /dev/null && return
    (( EUID == 0 )) && command -v apt-get > /dev/null &&
        step "installing python3.11-venv" install_debian_package python3.11-venv &&
        "$python" -m venv --clear "$tools/pip" && return
    die "$python has neither pip nor venv" "On Debian 12 run: $apt_line (or put uv on your PATH)."
}

find_uv() {  # sets $uv
    uv=$(command -v uv) && return
    uv="$tools/uv/bin/uv"
    [[ -x $uv ]] && return
    find_pip
    step "fetching uv" "${pip[@]}" install -qq --disable-pip-version-check --no-deps --require-hashes \
        --upgrade --target "$tools/uv" -r "$root/requirements/uv.txt"
}

install_with_uv() {
    local options=()   # no bytecode: compiling all of it takes 20 s, what is imported compiles itself in 9 s and once
    find_uv || return
    adopt_pip_settings
    [[ -t 2 ]] || options=(-q)   # uv's progress bars only where somebody watches them
    [[ -x $root/.venv/bin/python ]] || "$uv" venv -q --no-project --relocatable --python "$python" "$root/.venv" || return
    step "installing the packages of requirements/lock.txt (2 GB, once)" "$uv" pip sync ${options[@]+"${options[@]}"} \
        --require-hashes --python "$root/.venv/bin/python" "$lock"
}

install_with_pip() {
    (( $(free_mib "$root") > 100 )) || return
    printf '  no luck with uv, trying pip\n' >&2
    find_pip
    rm -rf -- "$root/.venv"
    "$python" -m venv --without-pip "$root/.venv" || return
    step "installing the packages of requirements/lock.txt with pip (some minutes, once)" \
        "${pip[@]}" --python "$root/.venv/bin/python" install -qq --disable-pip-version-check --no-deps --no-compile --require-hashes -r "$lock"
}

explain_failed_install() {
    local free
    free=$(free_mib "$root")
    (( free > 100 )) || die "The disk is full: $root has $free MB left" "Free some space, then run it again."
    die "The packages could not be installed, for the reason above" \
        "Check the network (a mirror is taken from the PIP_* or UV_* variables, or pip.conf), then run it again."
}

adopt_pip_settings() {  # a machine whose mirror only pip was told about: tell uv too, unless uv was told something
    local setting value
    while IFS='=' read -r setting value; do
        value=${value#\'} value=${value%\'} value=${value//\\n/ }   # a list comes as one quoted line
        case ${setting##*.} in
            index-url)       export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-$value}} ;;
            extra-index-url) export UV_INDEX=${UV_INDEX:-${UV_EXTRA_INDEX_URL:-$value}} ;;
            find-links)      export UV_FIND_LINKS=${UV_FIND_LINKS:-$value} ;;
            no-index)        export UV_NO_INDEX=${UV_NO_INDEX:-$value} ;;
            cert)            export SSL_CERT_FILE=${SSL_CERT_FILE:-$value} ;;
        esac
    done < <({ "$python" -m pip config list || "$tools/pip/bin/python" -m pip config list; } 2> /dev/null)
    export UV_INDEX_STRATEGY=${UV_INDEX_STRATEGY:-unsafe-best-match}   # as pip does; the hashes make it safe
}
