# shellcheck shell=bash
# Sourced by the launchers: run a step, or, with --dry-run, print it as one would type
# it. What is printed can be pasted into a shell and does the same. Everything here runs
# in the bash 3.2 of macOS too, where an empty array counts as unset.

dry_run=0

show_help() { # the comment at the top of the launcher
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

fail() { # CODE MESSAGE
  printf '%s: %s\n' "${0##*/}" "$2" >&2
  exit "$1"
}

misused() { # MESSAGE
  fail 2 "$1; see $0 --help"
}

quoted() { # ARGUMENT ...
  local text
  printf -v text '%q ' "$@"
  printf '%s' "${text% }"
}

absolute() { # PATH, so that neither - at its start nor : in it means anything
  case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s' "$PWD/$1" ;;
  esac
}

step() { # WHAT COMMAND [ARGUMENT ...]
  local what=$1 code=0
  shift
  if ((dry_run)); then
    quoted "$@"
    echo
    return
  fi
  "$@" || code=$?
  ((code == 0)) || fail "$code" "$what failed with exit code $code: $(quoted "$@")"
}

write_script() { # FILE TEXT
  if ((dry_run)); then
    printf "cat >%q <<'END OF SCRIPT'\n%s\nEND OF SCRIPT\n" "$1" "$2"
    return
  fi
  # Under another name first, so that there is never half a script.
  { printf '%s\n' "$2" >"$1.part" && mv -f -- "$1.part" "$1"; } ||
    fail 1 "the batch script could not be written to $(quoted "$1")"
}
