#!/bin/sh
# Holds kine and k3s back at boot until this host has settled in its role (B8). The agent does the
# work: fence first, then the peer's hostMeta against our own, then role.yaml, whose step before
# "kine runs" lets us go. A leader that can not prove itself waits for its peer or an operator (A5):
# then we end with an error after the bound, and the agent starts kine when it may.
set -u
tries=$(($1 * 5))
while [ "$tries" -gt 0 ]; do
  /usr/local/lib/twonode/role_known.sh && exit 0
  tries=$((tries - 1))
  sleep 0.2
done
echo "this host has not settled in a role within $1 s; the agent starts kine when it has" >&2
exit 1
