#!/bin/sh
# Brings a site's bundle to this host, as root: sh install.sh BUNDLE [--signer FINGERPRINT] [OPTIONS]
# Verifies before it unpacks or runs anything, on a copy that nobody else can change. Then the bundle's
# own program goes on with OPTIONS: --first, --join, ...; sh install.sh BUNDLE --help tells of them all.
set -eu
umask 022
root=/opt/twonode signers=/etc/twonode/allowed_signers signer=''
fail() { printf 'install.sh: %s\nNothing was installed.\n' "$*" >&2; exit 2; }

case ${1-} in ''|-*) sed -n 's/^# //p' "$0" >&2; exit 2;; esac
bundle=$1; shift
left=$#
while [ "$left" -gt 0 ]; do
  left=$((left - 1))
  if [ "$1" != --signer ]; then set -- "$@" "$1"; shift; continue; fi
  [ "$left" -gt 0 ] || fail '--signer needs a fingerprint'
  signer=$2; shift 2; left=$((left - 1))
done
[ "$(id -u)" = 0 ] || fail 'it has to be run as root'
for tool in ssh-keygen tar sha256sum mktemp flock; do
  command -v "$tool" >/dev/null || fail "this host has no $tool; ssh-keygen is of the package openssh-client"
done
[ -f "$bundle" ] || fail "there is no file $bundle"
[ -f "$bundle.sig" ] || fail "there is no $bundle.sig: what is not signed is not installed"
mkdir -p "$root/bundles" || fail "$root can not be written"
[ -O "$root" ] && [ -O "$root/bundles" ] || fail "$root belongs to another user: look at who made it, then remove it"
# Held until the program that goes on ends: what lies here unfinished is nobody's then.
exec 9>"$root/bundles/.lock"
flock -n 9 || fail 'another one is being installed on this host'
rm -rf "$root"/bundles/.incoming.*
work=$(mktemp -d "$root/bundles/.incoming.XXXXXX")
trap 'rm -rf "$work"' EXIT; trap 'exit 130' HUP INT TERM
{ cp "$bundle" "$work/bundle" && cp "$bundle.sig" "$work/sig"; } || fail "$bundle can not be read, or $root has no room for it"
said=$(ssh-keygen -Y check-novalidate -n twonode-bundle -s "$work/sig" <"$work/bundle" 2>&1) ||
  fail "$bundle is not what was signed: altered, cut off, or signed for something else. Copy it and its .sig again. ($said)"
key=${said##* key }
if [ -s "$signers" ]; then
  who=$(ssh-keygen -Y find-principals -s "$work/sig" -f "$signers" 2>/dev/null) &&
    ssh-keygen -Y verify -n twonode-bundle -I "$who" -f "$signers" -s "$work/sig" <"$work/bundle" >/dev/null 2>&1 ||
    fail "it is signed by $key, which $signers does not allow; bundle.allowedSigners of the inventory does, by a converge"
elif [ -n "$signer" ]; then
  [ "$signer" = "$key" ] || fail "it is signed by $key, and not by $signer"
else
  [ -t 0 ] || fail "it is signed by $key, and this host knows no signer yet: compare that with what \`twonode bundle\` printed, and add --signer $key"
  printf 'It is signed by %s. Is that what `twonode bundle` printed? (yes/no) ' "$key"
  read -r answer; [ "$answer" = yes ] || fail 'that was no yes'
fi
arch=$(uname -m)
tar -tf "$work/bundle" | grep -qx "runtime/$arch/node" || fail "it holds nothing for this host, which is $arch"
mkdir "$work/tree"
{ tar -C "$work/tree" --no-same-owner -xf "$work/bundle" && chmod 600 "$work/tree/plan.json"; } || fail "$root has no room for it"
sum=$(sha256sum <"$work/bundle")
place=$root/bundles/${sum%% *}
# A name of its sum: one that is there is whole, for it came by a rename.
sync -f "$work/tree"
[ -d "$place" ] || mv -T "$work/tree" "$place"
sync -f "$place"; rm -rf "$work"; trap - EXIT HUP INT TERM
exec "$place/runtime/$arch/node" "$place/runner/agent.mjs" install "$@"
