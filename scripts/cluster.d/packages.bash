# What the distribution has to provide, installed without starting any service.

say() { printf '%s\n' "$*"; }
fail() { printf 'scripts/%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# install_packages REASON PACKAGE..
install_packages() {
    local reason=$1 as_root='' policy=/usr/sbin/policy-rc.d ours=''
    shift
    command -v apt-get >/dev/null || fail "$reason: install $* with this system's package manager and try again"
    say "$reason: installing $* with apt-get (no service is started)"
    if [[ $(id -u) != 0 ]]; then
        command -v sudo >/dev/null || fail "installing $* needs root: apt-get install $*"
        as_root=sudo
    fi
    if [[ ! -e $policy ]]; then
        ours=yes
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod +x "$policy"
    fi
    local status=0
    { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" ||
        { $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; }
    } >"${TMPDIR:-/tmp}/quorate-apt.$$" 2>&1 || status=$?
    [[ -z $ours ]] || $as_root rm -f "$policy"
    if [[ $status != 0 ]]; then
        tail -20 "${TMPDIR:-/tmp}/quorate-apt.$$" >&2
        fail "apt-get could not install $*"
    fi
    rm -f "${TMPDIR:-/tmp}/quorate-apt.$$"
}

need_zookeeper() {
    [[ -e /usr/share/java/zookeeper.jar && -x /usr/share/zookeeper/bin/zkCli.sh ]] && command -v java >/dev/null && return
    install_packages 'ZooKeeper or a Java runtime is missing' zookeeper default-jre-headless
}

# Sets $binary: QUORATE_BIN, or the build of this checkout with the given profile.
need_binary() {
    local profile=${1:-release}
    if [[ -n ${QUORATE_BIN:-} ]]; then
        binary=$QUORATE_BIN
        [[ -x $binary ]] || fail "QUORATE_BIN=$binary is no program"
        return
    fi
    command -v cargo >/dev/null || fail 'cargo is missing: install Rust from https://rustup.rs and try again'
    command -v cc >/dev/null || install_packages 'A linker is missing' gcc libc6-dev
    say "building quorate ($profile); the first time takes minutes"
    (cd "$root" && cargo build --profile "$profile" --bin quorate) || fail 'the build failed'
    binary=${CARGO_TARGET_DIR:-$root/target}/$profile/quorate
}
