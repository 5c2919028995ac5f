#!/bin/sh
# Sets up a private user and mount namespace, made by unshare(1), and becomes a command in it.
# Nothing of it is seen outside, and it ends with its last process. The words before "--":
#   overlay LOWER TARGET  lays directories (one or more, colons between) over TARGET
#   binfmt LINE           lets the kernel run another processor's programs (Linux 6.7 and newer)
#   private DIRECTORY     gives it an empty DIRECTORY of its own, in memory
#   proc                  shows the processes of this namespace alone; the command is not its first
#                         process, which no signal from within ends
set -eu
alone=no
while [ "$1" != -- ]; do
  case $1 in
    overlay)
      mount -t overlay overlay -o "lowerdir=$2:$3" "$3"
      shift 3
      ;;
    binfmt)
      mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
      printf '%s' "$2" > /proc/sys/fs/binfmt_misc/register
      shift 2
      ;;
    private)
      mkdir -p "$2"
      mount -t tmpfs -o mode=700 tmpfs "$2"
      shift 2
      ;;
    proc)
      mount -t proc proc /proc
      alone=yes
      shift
      ;;
    *)
      echo "namespace.sh: unknown word: $1" >&2
      exit 2
      ;;
  esac
done
shift
if [ "$alone" = no ]; then exec "$@"; fi
status=0
"$@" || status=$?
exit "$status"
