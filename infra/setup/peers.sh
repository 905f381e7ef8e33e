# Fetches what only a benchmark compares with: ArcticDB and backtesting.py, whose licences do not belong into
# everybody's .venv.
source "$root/infra/setup/report.sh"
source "$root/infra/setup/environment.sh"

peers="$root/.slipway/tools/peers"

fetch_peers() {
    local wanted
    wanted=$(sha256sum < "$root/requirements/peers.txt")
    [[ -r $peers/.wanted && $(< "$peers/.wanted") == "$wanted" ]] && return
    one_at_a_time
    find_python
    find_uv || explain_failed_install
    adopt_pip_settings
    rm -rf -- "$peers"
    # Without its dependencies: .venv has them, and a second numpy would be another contestant.
    step "fetching ArcticDB and backtesting.py for the comparison" "$uv" pip install -q --no-deps --require-hashes --python "$python" \
        --target "$peers" -r "$root/requirements/peers.txt" || explain_failed_install
    printf '%s\n' "$wanted" > "$peers/.wanted"
    let_others_in
}
