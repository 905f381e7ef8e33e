# Makes .venv from requirements/lock.txt: through uv, which it fetches if missing, else with venv and pip.
# Sourced by ./slipway, which sets $root, $lock, $stamp and $want.
source "$root/infra/setup/report.sh"

tools="$root/.slipway/tools"
export PIP_ROOT_USER_ACTION=ignore
venv_mib=2600   # measured: 1.8 GB, 0.4 GB of bytecode by and by, and room for what is being unpacked
left_mib=$(free_mib "$root")   # when the last attempt failed
apt_line="apt-get install python3.11 python3.11-venv"

set_up_environment() {
    one_at_a_time
    if ! is_set_up; then
        find_python
        [[ -e $root/.venv ]] || need_space
        install_with_uv || install_with_pip || explain_failed_install
        # What fails here only makes the first sweep slower, and says why itself.
        step "compiling the kernels of sweeps (once)" "$root/.venv/bin/python" -P -m research.passes || true
    fi
    let_others_in
}

finish() {  # what the folder still lacks; the stamp last
    # Relative to site-packages, so that a checkout which is moved still finds itself.
    printf '../../../..\n' > "$1/lib/python3.11/site-packages/slipway.pth" &&
        printf '%s\n' "$want" > "$1/slipway.stamp"
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
    uv=$(command -v uv) && "$uv" --version &> /dev/null && return
    uv="$tools/uv/bin/uv"
    "$uv" --version &> /dev/null && return
    find_pip
    step "fetching uv" "${pip[@]}" install -qq --disable-pip-version-check --no-deps --require-hashes \
        --upgrade --target "$tools/uv" -r "$root/requirements/uv.txt"
}

install_with_uv() {  # aside, then swapped in: an update that fails leaves the old environment working
    local new="$root/.venv.new" old="$root/.venv.old" options=()
    find_uv || return
    adopt_pip_settings
    [[ -t 2 ]] || options=(-q)   # uv's progress bars only where somebody watches them
    rm -rf -- "$new" "$old"
    # No bytecode: compiling all of it takes 20 s, what is ever imported compiles itself in 9 s and once.
    "$uv" venv -q --no-project --relocatable --python "$python" "$new" &&
        step "installing the packages of requirements/lock.txt (2 GB, once)" "$uv" pip sync ${options[@]+"${options[@]}"} \
            --require-hashes --python "$new/bin/python" "$lock" && finish "$new" ||
        { left_mib=$(free_mib "$root"); rm -rf -- "$new"; return 1; }
    [[ ! -e $root/.venv ]] || mv -- "$root/.venv" "$old"
    mv -- "$new" "$root/.venv"
    rm -rf -- "$old"
}

install_with_pip() {  # in place, for its scripts name their folder; without a stamp until it is complete
    (( left_mib > 100 )) || return   # what failed uv for want of space fails pip too
    printf '  no luck with uv, trying pip\n' >&2
    find_pip
    rm -rf -- "$root/.venv.new" "$root/.venv.old"
    [[ ! -e $root/.venv ]] || mv -- "$root/.venv" "$root/.venv.old"
    "$python" -m venv --without-pip "$root/.venv" &&
        step "installing the packages of requirements/lock.txt with pip (some minutes, once)" \
            "${pip[@]}" --python "$root/.venv/bin/python" install -qq --disable-pip-version-check --no-deps \
            --no-compile --require-hashes -r "$lock" &&
        finish "$root/.venv" && { rm -rf -- "$root/.venv.old"; return; }
    left_mib=$(free_mib "$root")
    rm -rf -- "$root/.venv"
    [[ ! -e $root/.venv.old ]] || mv -- "$root/.venv.old" "$root/.venv"
    return 1
}

explain_failed_install() {
    (( left_mib > 100 )) || die "The disk is full: $root had $left_mib MB left" "Free some space, then run it again."
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
