#!/bin/bash
# Stops kine and the virtual address when the agent has been silent for too long (B9).
#
# The agent writes the time since boot, in hundredths of a second, into a file in memory with each of
# its rounds. No clock that can be set is read, a machine that slept or stood still counts as time gone
# by, and an agent that hangs is as silent as one that is dead. Nothing is started while all is well:
# the shell waits on a pipe of its own. What may be running is told by the permit that a role converge
# writes before it starts kine: it goes as the last thing, so that a guard which is killed half-way
# begins anew; and with it gone nothing but the agent, or a converge, can start kine again. An agent that
# stops kine takes the permit away first, and may be killed before it comes to kine: so the first thing in
# each silence is to stop both, permit or not.
set -u
# As a late tick (A8): the fence time, (failures - 1) x interval, but at least 3 s.
limit=$((($2 - 1) * $1 / 10)) # hundredths of a second
((limit >= 300)) || limit=300
address=${3:-} interface=${4:-}
folder=${TWONODE_RUN:-/run/twonode}
alive=$folder/agent.alive
permit=$folder/kine.permit
exec 9<> <(:)
# Both were stopped since the agent was last heard.
stopped=

silent() {
  local now beat=
  read -r now _ </proc/uptime
  now=$((10#${now/./}))
  [[ -r $alive ]] && read -r beat <"$alive"
  [[ $beat =~ ^[0-9]+$ ]] || return 0
  beat=$((10#$beat))
  ((now - beat > limit || beat > now + 100))
}

stop_all() {
  timeout 5 systemctl kill --signal=KILL kine.service kine-reads.service k3s-reads.service
  timeout 10 systemctl stop kine.service kine-reads.service k3s-reads.service twonode-virtual-ip.service
  # A promotion brings the address up before its unit.
  [[ -z $address ]] || timeout 5 ip address del "$address" dev "$interface"
}

while :; do
  read -rt 0.25 -u 9
  if ! silent; then
    stopped=
    continue
  fi
  [[ -e $permit || -z $stopped ]] || continue
  # A file that was caught between two writes is whole a moment later.
  read -rt 0.1 -u 9
  silent || continue
  echo "the agent has been silent for over $((limit / 100)) s: kine and the virtual address are stopped"
  stop_all 2>/dev/null
  # The agent writes it into its account when it is back. The first of one silence is the one that stopped.
  [[ -e $folder/guard.stopped ]] || TZ=UTC printf '%(%FT%TZ)T\n' -1 >"$folder/guard.stopped"
  rm -f "$permit"
  stop_all 2>/dev/null
  # An agent that came back meanwhile has started what was stopped once more: without the permit it knows.
  if [[ -e $permit ]]; then rm -f "$permit"; else stopped=1; fi
done
