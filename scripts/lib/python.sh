# The Python environment in .venv: LibTorch for C++ lives in it too. Sourced after common.sh.
# shellcheck shell=bash

VENV=$ROOT/.venv
PYTHON=$VENV/bin/python

# What `import torch` loads besides the wheel's own libraries.
readonly TORCH_CPU_NEEDS=(libcudart.so.13 libcupti.so.13)
readonly TORCH_IMPORT_NEEDS=(libcudart.so.13 libcupti.so.13 libcublas.so.13 libcublasLt.so.13 libcudnn.so.9
  libcufft.so.12 libcurand.so.10 libcusparse.so.12 libnccl.so.2 libnvJitLink.so.13)

# loader_has LIBRARY...: whether the system's loader finds all of them. For conditions.
loader_has() {
  local known library
  known=$(/sbin/ldconfig -p)
  for library in "$@"; do
    [[ $known == *$'\t'"$library "* ]] || return 1
  done
}

# A venv whose creation was cut off has no pip.
ensure_venv() {
  if "$PYTHON" -c 'import pip' 2>/dev/null; then return; fi
  say "Python environment: $VENV"
  need_space "$ROOT" 100 "the Python environment"
  /usr/bin/python3 -m venv --clear "$VENV" >"$LOGS/venv.log" 2>&1 ||
    die "cannot make $VENV: $(tail -n 1 "$LOGS/venv.log")"
}

# link_python_package NAME FOLDER: makes `import` find a package of the tree. The path is relative, so the tree may move.
link_python_package() {
  local file
  file=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/$1.pth
  [[ -e $file ]] || echo "../../../../$2" >"$file"
}

# The command bertha-export, as installing models/export would make it.
link_exporter() {
  local command=$VENV/bin/bertha-export
  link_python_package bertha_export models/export
  [[ -e $command ]] || printf '#!%s\nfrom bertha_export.cli import main\n\nraise SystemExit(main())\n' "$PYTHON" >"$command"
  chmod +x "$command"
}

# ensure_wheels LIST...: installs what is missing, after saying what and how big.
ensure_wheels() {
  local missing log=$LOGS/pip.log megabytes pins quiet=(--quiet)
  missing=$("$PYTHON" "$ROOT/scripts/lib/missing_wheels.py" "$@")
  [[ -n $missing ]] || return 0

  megabytes=$(awk '{ sum += $2 } END { print sum }' <<<"$missing")
  mapfile -t pins < <(cut -d' ' -f1 <<<"$missing")
  say "Python packages to install (about $megabytes MB to download): ${pins[*]}"
  need_space "$VENV" $((megabytes * 3 + 200)) "unpacking them"
  need_space "${TMPDIR:-/tmp}" $((megabytes + 100)) "downloading them"
  if [[ -t 1 ]]; then quiet=(); fi
  : >"$log"
  "$PYTHON" -m pip install "${quiet[@]}" --no-deps --no-input --disable-pip-version-check --only-binary :all: \
    "${pins[@]}" 2>>"$log" </dev/null || die "cannot install Python packages: $(reason "$log") (log: $log)"
}

# What C++ needs to link and run, and the Python client.
ensure_runtime() {
  local lists=("$REQUIREMENTS/runtime.txt")
  loader_has "${TORCH_CPU_NEEDS[@]}" || lists+=("$REQUIREMENTS/cuda-runtime.txt")
  ensure_venv
  ensure_wheels "${lists[@]}"
  link_python_package bertha clients/python
}

# What Python needs to import torch, to train, export and compare.
ensure_test_python() {
  local lists=("$REQUIREMENTS"/{torch-python,test}.txt)
  if loader_has "${TORCH_IMPORT_NEEDS[@]}"; then
    lists+=("$REQUIREMENTS/cuda-import-toolkit.txt")
  else
    lists+=("$REQUIREMENTS/cuda-import.txt")
  fi
  ensure_wheels "${lists[@]}"
  link_exporter
}
