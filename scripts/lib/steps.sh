# Steps with a headline, an outcome and a time, and the table of them. Sourced after common.sh.
# shellcheck shell=bash

STEP_NAMES=() STEP_OUTCOMES=() STEP_TIMES=()
first_failed=""

# note_step NAME OUTCOME SECONDS
note_step() {
  STEP_NAMES+=("$1") STEP_OUTCOMES+=("$2") STEP_TIMES+=("$3")
  if [[ $2 != passed && -z $first_failed ]]; then first_failed="$1 ($2)"; fi
}

log_of() { printf '%s/step-%s.log' "$LOGS" "${1// /-}"; }

# step NAME COMMAND...: runs it in a subshell of its own and goes on whatever comes of it. Never call it in a condition.
step() {
  local name=$1 started=$SECONDS status
  shift
  headline "$name"
  set +e  # not `|| status=$?`: that would turn -e off inside the step too
  (
    set -e
    "$@"
  ) 2>&1 | tee "$(log_of "$name")"
  status=${PIPESTATUS[0]}
  set -e
  if ((status)); then
    say "FAILED: $name (exit $status)"
    note_step "$name" "failed, exit $status" $((SECONDS - started))
  else
    note_step "$name" passed $((SECONDS - started))
  fi
}

passed() {
  local i
  for i in "${!STEP_NAMES[@]}"; do
    [[ ${STEP_NAMES[i]} != "$1" || ${STEP_OUTCOMES[i]} != passed ]] || return 0
  done
  return 1
}

# step_after NEEDED NAME COMMAND...: only where NEEDED passed.
step_after() {
  local needed=$1
  shift
  if passed "$needed"; then step "$@"; else note_step "$1" "not run, needs $needed" 0; fi
}

# The last words of the test runners, by step.
closing_lines() {
  local name line
  for name in "${STEP_NAMES[@]}"; do
    [[ -e $(log_of "$name") ]] || continue
    line=$(grep -E '^[0-9]+% tests passed|^=+ .*[0-9]+ (passed|failed|error)|^[0-9]+ (passed|failed).* in ' "$(log_of "$name")" | tail -n 1) || continue
    printf '%s: %s\n' "$name" "$line"
  done
}

# The runners' closing lines, the table of times, and in the last line the verdict, which is also the exit code.
summary() {
  local closing i
  closing=$(closing_lines)
  [[ -n $closing ]] || note_step "any test at all" "none ran" 0
  headline "summary"
  say "$closing" ""
  for i in "${!STEP_NAMES[@]}"; do
    printf '%-30s %-34s %s\n' "${STEP_NAMES[i]}" "${STEP_OUTCOMES[i]}" "$(duration "${STEP_TIMES[i]}")"
  done
  say ""
  [[ -z $first_failed ]] || die "FAILED after $(duration $SECONDS), first at: $first_failed"
  say "$PROGRAM: everything passed in $(duration $SECONDS)"
}
