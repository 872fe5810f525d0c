#!/bin/bash
# Lets kine use what its file says by now, without a moment in which nobody listens: an API server that
# is refused once tries again after a second, and none of its own settings shortens that.
#
# `localhost` is two addresses. A kine that uses the new database starts at the other one, and the old one
# is killed; once the API server has settled, kine starts where it belongs, and the one in between ends by
# request, when it has answered what it was asked. Without a second address, or when anything goes wrong,
# all of them are killed and systemd starts kine anew, which takes the second that this saves.
#
# systemd runs this as the unit's reload: in its group, with its file's environment, ended by its stop.
set -u
old=$MAINPID
address=${KINE_LISTEN_ADDRESS%:*} port=${KINE_LISTEN_ADDRESS##*:}
hosts=${TWONODE_HOSTS_FILE:-/etc/hosts} kine=${TWONODE_KINE:-/usr/local/bin/kine}
settled=${TWONODE_SETTLED_SECONDS:-10}
between=

# Its parent is systemd, which therefore hears of its end.
start() { (
  "$kine" --listen-address "$1" >&2 &
  echo $!
); }

# Until it listens at address $2, while process $1 lives, 3 s at most.
listens() {
  local try
  for ((try = 0; try < 300; try++)); do
    kill -0 "$1" 2>/dev/null || return 1
    (exec 3<>"/dev/tcp/$2/$port") 2>/dev/null && return 0
    sleep 0.01
  done
  return 1
}

# A process that was killed listens until it is gone.
is_gone() {
  local try
  for ((try = 0; try < 300; try++)); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.01
  done
  return 1
}

# Until process $1 has ended, $2 seconds at most; true if it lives. systemd starts kine anew when this
# script is done, not before.
lives() {
  timeout "$2" tail --pid="$1" --sleep-interval=0.25 --follow /dev/null
  (($? == 124))
}

give_up() {
  echo "$1: kine is killed, and started anew by systemd"
  # shellcheck disable=SC2086
  kill -KILL $old $between ${new:-} 2>/dev/null
  exit 0
}

grep -qE '^::1[[:space:]](.*[[:space:]])?localhost([[:space:]]|$)' "$hosts" && [[ $address == 127.0.0.1 ]] ||
  give_up 'localhost has one address'
between=$(start "[::1]:$port")
listens "$between" ::1 || give_up 'no second kine took connections'
systemd-notify --pid="$between"
kill -KILL "$old"
is_gone "$old" || give_up 'kine does not end'
old=
# The API server asks for everything anew, and controllers start beside that: 2 to 4 s. A start of kine
# would take its time from them. Worse, their watches stay with this one until it is gone: it hears of what
# the next one writes at its next look only, up to 1 s later, and each read that waits for its watch waits
# as long, one after the other.
lives "$between" "$settled" || give_up 'kine ended'
new=$(start "$KINE_LISTEN_ADDRESS")
listens "$new" "$address" || give_up 'kine took no connections'
systemd-notify --pid="$new"
kill -TERM "$between"
