# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, never run. Takes $here (this
# folder). Gives small helpers; starts nothing and changes nothing by itself.
# shellcheck disable=SC2154

say() { echo "control-plane: $*" >&2; }

die() {
  say "$*"
  exit 1
}

# minutes SECONDS: "4 min 5 s".
minutes() { echo "$(($1 / 60)) min $(($1 % 60)) s"; }

# cache_folder: where the built programs lie. The name has the Kubernetes
# version for people and a digest over everything that decides the result.
cache_folder() {
  local root=${MODELWARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/modelward} version digest
  version=$(sed -n 's|.*k8s\.io/kubernetes v\([0-9.]*\).*|\1|p' "$here/modules/kubernetes/go.mod" | head -n 1)
  digest=$(cd "$here" && sha256sum build modules/*/go.mod modules/*/go.sum | sha256sum | cut -c 1-12)
  echo "$root/control-plane/kubernetes-$version-$(uname -m)-$digest"
}

# require_program NAME PACKAGE: NAME is there, or is installed as a Debian
# package when we may, or the message says what to install.
require_program() {
  command -v "$1" >/dev/null && return
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    say "installing the package $2 for $1 ..."
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$2"; } >&2 || true
  fi
  command -v "$1" >/dev/null || die "$1 is missing: install the Debian package $2"
}

# require_go: a go command that is new enough for every module here.
require_go() {
  local need have
  command -v go >/dev/null || die "go is missing: install Go $(newest_go) or newer and have it in PATH"
  need=$(newest_go)
  have=$(go env GOVERSION)
  have=${have#go}
  if [[ $(printf '%s\n%s\n' "$need" "$have" | sort -V | head -n 1) != "$need" ]]; then
    # With its toolchain switch on, go fetches a newer one of itself.
    [[ $(go env GOTOOLCHAIN) == local* ]] && die "go $have is too old: Go $need or newer is needed"
  fi
  return 0
}

newest_go() { sed -n 's/^go //p' "$here"/modules/*/go.mod | sort -V | tail -n 1; }

# --- running processes: a file per program with its id and its start time, so
# --- that an id that was given to another process since is never signalled.

# started_at PID: the process's start in clock ticks since boot; fails when
# there is no such process.
started_at() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The second field is the program's name in parentheses and may hold blanks.
  stat=${stat##*) }
  # shellcheck disable=SC2086
  set -- $stat
  # A zombie has ended; only its parent has not asked yet.
  [[ $1 != Z ]] && echo "${20}"
}

# is_running FILE: the process recorded in FILE is the one that runs now.
is_running() {
  local pid started
  { read -r pid started <"$1"; } 2>/dev/null || return 1
  [[ -n $started && $(started_at "$pid") == "$started" ]]
}

# record NAME PID: in $dir/processes.
# shellcheck disable=SC2154
record() { echo "$2 $(started_at "$2" || true)" >"$dir/processes/$1"; }

# A file in every folder that start makes.
# shellcheck disable=SC2034
readonly marker=.modelward-control-plane
