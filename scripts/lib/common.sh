# Shared by scripts/serve and scripts/test: messages, times and the lock. Sourced, never run.
# shellcheck shell=bash
# Callers run under `set -euo pipefail`; none of these functions may be called in a condition (that turns `-e` off
# inside them) unless its comment says so.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LOGS=$ROOT/build/log
REQUIREMENTS=$ROOT/scripts/requirements
PROGRAM=scripts/$(basename "$0")

bold="" plain=""
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi

say() { printf '%s\n' "$@"; }
headline() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
warn() { printf '%s: warning: %s\n' "$PROGRAM" "$*" >&2; }
die() {
  printf '%s: %s\n' "$PROGRAM" "$*" >&2
  exit 1
}

# The comment at the head of the script.
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }

# duration SECONDS -> "3 min 7 s"
duration() {
  if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %d s' $(($1 / 60)) $(($1 % 60)); fi
}

# The lines of the lists, without comments and blank ones.
entries() { sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$@"; }

# Everything the scripts write lies under build/ and .venv/; both must belong to whoever runs them.
check_writable() {
  local path
  for path in "$ROOT" "$ROOT/build" "$ROOT/.venv"; do
    [[ ! -e $path || -w $path ]] ||
      die "cannot write $path (owner: $(stat -c %U "$path")); run as that user, or remove it"
  done
  mkdir -p "$LOGS"
}

# with_lock NAME COMMAND...: one at a time in this tree. Says so when it has to wait.
with_lock() {
  local file=$ROOT/build/.$1.lock fd
  shift
  exec {fd}>>"$file"
  if ! flock --nonblock "$fd"; then
    say "Another run is busy in this tree; waiting for it."
    flock "$fd"
  fi
  "$@"
  exec {fd}>&-
}

# need_space PATH MB WHAT: stops when the file system that will hold PATH has less free.
need_space() {
  local free
  free=$(df --output=avail --block-size=1M "$1" | tail -n 1)
  ((free >= $2)) || die "$3 needs about $2 MB in $1, and $((free)) MB are free"
}

# reason LOG: why an installation failed, in one line.
reason() {
  local last
  if grep -qiE 'no space left|not have enough free space|errno 28' "$1"; then
    echo "the disk is full"
  elif grep -qiE 'could not resolve|temporary failure|could ?n.t connect|failed to establish|connection (refused|timed out|reset|broken)|unreachable|max retries|timed out' "$1"; then
    echo "no network (or the package server does not answer)"
  else
    last=$(grep -E '^(E:|ERROR:)' "$1" | tail -n 1) || last=$(tail -n 1 "$1")
    echo "$last"
  fi
}
