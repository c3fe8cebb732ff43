# Configuring and building the CMake presets. Sourced after common.sh.
# shellcheck shell=bash

# Put before what runs programs of a build: test discovery is part of the build.
WRAPPER=()

# Torch's headers take about 2 GB a compiler.
build_jobs() {
  local gigabytes cores
  gigabytes=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
  cores=$(nproc)
  ((gigabytes / 2 < cores)) && cores=$((gigabytes / 2))
  echo $((cores > 1 ? cores : 1))
}

# configure PRESET: once, and again when the presets change or the tree has moved; ninja sees to the rest.
configure() {
  local folder=$ROOT/build/$1 log=$LOGS/configure-$1.log key
  key=$(sha256sum <"$ROOT/CMakePresets.json")$ROOT
  if [[ -e $folder/build.ninja && -e $folder/.configured && $(<"$folder/.configured") == "$key" ]]; then return; fi
  say "Configuring build/$1"
  need_space "$ROOT" 500 "building $1"
  (cd "$ROOT" && cmake --fresh --preset "$1") >"$log" 2>&1 ||
    { tail -n 30 "$log" >&2 && die "cmake --preset $1 failed (log: $log)"; }
  printf '%s' "$key" >"$folder/.configured"
}

run_build() {
  local preset=$1 targets=()
  shift
  if (($#)); then targets=(--target "$@"); fi
  configure "$preset"
  (cd "$ROOT" && "${WRAPPER[@]}" cmake --build --preset "$preset" -j "$(build_jobs)" "${targets[@]}") ||
    die "building $preset failed"
}

# build PRESET [TARGET...]: everything when no target is named. One at a time in a build folder.
build() { with_lock "build-$1" run_build "$@"; }
