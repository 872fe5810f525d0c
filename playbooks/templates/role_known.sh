#!/bin/sh
# May kine (or, as `role_known.sh leads`, the virtual address) run on this host?
#
# A role converge writes branch and leader here as its last step before kine starts: on a leader
# after the branch's marker is in the table. The file lies in memory, so no boot finds one. hostMeta
# is written before anything of a new role is done, so while the two differ the role is being changed:
# a leader whose branch has no marker yet never passes.
set -u
permit=${TWONODE_RUN:-/run/twonode}/kine.permit
meta={{ site.stateDirectory }}/host-meta.yaml
[ -s "$permit" ] || exit 1
[ "$(grep -cxFf "$permit" "$meta" 2>/dev/null)" = 2 ] || exit 1
[ "${1:-}" != leads ] || grep -qxF 'leader: "{{ host.name }}"' "$permit"
