# What the system must have: the distribution and its packages. Sourced after common.sh.
# shellcheck shell=bash

check_platform() {
  [[ $(uname -sm) == "Linux x86_64" ]] || die "needs Linux on x86_64; this is $(uname -sm)"
  local system
  system=$(. /etc/os-release && echo "${ID:-?} ${VERSION_ID:-testing}")
  case $system in
    "debian 12") ;;
    "debian 1"[3-9] | "debian testing" | "ubuntu 2"[4-9].*) warn "made for Debian 12 and tested there only; this is $system" ;;
    *) die "needs Debian 12 (newer, or Ubuntu 24.04 and newer, may work); this is $system" ;;
  esac
}

# Those of the given packages that are not installed. dpkg-query fails when one is unknown, which is the question here.
missing_packages() {
  comm -23 <(printf '%s\n' "$@" | sort -u) \
    <({ dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true; } |
      sed -n 's/ installed$//p' | sort -u)
}

# as_root COMMAND...
as_root() {
  if ((EUID == 0)); then "$@"; else sudo -- "$@"; fi
}

# Asks for the password, if one is needed, before anything is hidden in a log.
check_root() {
  ((EUID == 0)) && return
  command -v sudo >/dev/null ||
    die "installing needs root and there is no sudo; as root: apt-get install --no-install-recommends $*"
  sudo true || die "installing needs root, and sudo refused; as root: apt-get install --no-install-recommends $*"
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C \
    apt-get -q -o DPkg::Lock::Timeout=300 -o APT::Install-Recommends=false "$@" </dev/null
}

# ensure_packages LIST...: installs what is missing, after saying what and how big.
ensure_packages() {
  local wanted missing log=$LOGS/apt.log size
  mapfile -t wanted < <(entries "$@")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  ((${#missing[@]})) || return 0

  check_root "${missing[@]}"
  say "Debian packages to install: ${missing[*]}"
  apt update >"$log" 2>&1 || die "cannot read the package lists: $(reason "$log") (log: $log)"
  apt install --assume-no "${missing[@]}" >>"$log" 2>&1 || true  # it only asks; the next line reads the answer
  size=$(sed -nE 's/^Need to get (.*) of archives.*/\1 to download/p; s/^After this operation, (.*) of additional.*/\1 on the disk/p' "$log" | paste -sd, | sed 's/,/, /')
  [[ -n $size ]] || die "cannot install ${missing[*]}: $(reason "$log") (log: $log)"
  say "  with what they need: $size"
  apt install --yes "${missing[@]}" >>"$log" 2>&1 || die "cannot install Debian packages: $(reason "$log") (log: $log)"
}
