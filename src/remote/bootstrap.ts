/**
 * What runs on a host before anything of ours is there: POSIX sh and Debian's essential tools, no
 * Python. It is the command of the one exec of a connection.
 *
 * - It says `start`: log-in shell and sudo are passed.
 * - It takes a line `twonode-input BYTES`: so much of the protocol is already on its way.
 * - Nothing missing: `exec`, and Node takes over its standard streams. This costs no turn.
 * - Else: it throws those bytes away, says `missing=…`, takes each piece as an exact number of gzip
 *   bytes, verifies, syncs and renames it, says `exec`; the controller sends the protocol again.
 *
 * `read` takes a pipe byte by byte and `head -c` no more than told, so nothing that is Node's is eaten.
 * A piece lies in its final place only when it is whole and on disk: being there is proof enough.
 * No single quote may stand in it: it travels inside a pair of them. Nor may `${`: it is a template.
 */
export const BOOTSTRAP = String.raw`
umask 022
root=$1 sha=$2 runtime=$3
say() { printf "twonode-bootstrap %s\n" "$*"; }
fail() { kind=$1; shift; say "error=$kind" "$(printf %s "$*" | tr "\n" " ")"; exit 69; }
say start
while :; do
  IFS= read -r line || exit 69
  case $line in "twonode-input "*) set -- $line; pending=$2; break;; esac
done
if [ -e "$root" ] && ! [ -O "$root" ]; then fail owner "$root belongs to another user"; fi
bundle=$root/bundle/$sha
node=$root/runtime/node-$runtime/bin/node
missing=
if [ "$runtime" = system ]; then
  node=$(command -v node) || fail no-node "the host has no node of its own"
  version=$("$node" --version) || fail no-node "node --version fails on the host"
  major=$(printf %s "$version" | tr -d v | cut -d. -f1)
  [ "$major" -ge 22 ] 2>/dev/null || fail old-node "the host has node $version"
elif ! [ -x "$node" ]; then missing=runtime; fi
[ -f "$bundle/main.mjs" ] || missing=$missing,bundle
if [ -n "$missing" ]; then
  for tool in head gzip sha256sum tr sync mv mkdir find ls rm; do
    command -v "$tool" >/dev/null || fail no-tool "the host has no $tool"
  done
  arch=$(uname -m)
  case $missing in runtime*)
    case $arch in
      x86_64) loader=/lib64/ld-linux-x86-64.so.2;;
      aarch64) loader=/lib/ld-linux-aarch64.so.1;;
      *) fail arch "the host is $arch; there is a runtime for x86_64 and aarch64";;
    esac
    [ -e "$loader" ] || fail libc "the host has no glibc ($loader is not there)";;
  esac
  temp=$root/.incoming.$$
  trap "rm -rf $temp" EXIT
  trap "exit 69" HUP INT TERM
  why=$(mkdir -p "$root/bundle" "$root/runtime" "$temp/bundle" 2>&1) || fail files "$why"
  find "$root" -maxdepth 1 -name ".incoming.*" -mmin +60 -exec rm -rf "{}" + 2>/dev/null
  head -c "$pending" >/dev/null
  say "missing=$missing" "arch=$arch"
  while :; do
    read -r word name bytes sum || exit 69
    [ "$word" = piece ] || break
    why=$( { head -c "$bytes" | gzip -dc >"$temp/$name"; } 2>&1 ) || fail files "$temp/$name: $why"
    [ "$(sha256sum <"$temp/$name")" = "$sum  -" ] || fail checksum "$name arrived damaged"
    chmod 755 "$temp/$name"
    why=$(sync "$temp/$name" 2>&1) || fail files "$temp/$name: $why"
  done
  if [ -f "$temp/node" ]; then
    mkdir -p "$root/runtime/node-$runtime/bin"
    why=$(mv -fT "$temp/node" "$node" 2>&1) || fail files "$why"
    sync "$root/runtime/node-$runtime/bin" "$root/runtime"
  fi
  if [ -f "$temp/bundle/main.mjs" ]; then
    sync "$temp/bundle"
    [ -f "$bundle/main.mjs" ] || rm -rf "$bundle"
    why=$(mv -T "$temp/bundle" "$bundle" 2>&1) || [ -f "$bundle/main.mjs" ] || fail files "$why"
    sync "$root/bundle"
    ls -1dt "$root"/bundle/* | grep -v "/$sha\$" | tail -n +3 | while IFS= read -r old; do
      [ "$old" -ef "$root/current" ] && continue
      # The agent runs the bundle that compiled the site file.
      grep -q "$(basename "$old")" /etc/twonode/site.yaml 2>/dev/null || rm -rf "$old"
    done
  fi
  rm -rf "$temp"
  trap - EXIT HUP INT TERM
fi
if ! [ "$root/current" -ef "$bundle" ]; then
  why=$(ln -s "bundle/$sha" "$root/.current.$$" 2>&1 && mv -fT "$root/.current.$$" "$root/current" 2>&1) || fail files "$why"
fi
if ! [ "$root/node" -ef "$node" ]; then
  why=$(ln -s "$node" "$root/.node.$$" 2>&1 && mv -fT "$root/.node.$$" "$root/node" 2>&1) || fail files "$why"
fi
say exec
exec "$node" "$bundle/main.mjs" runner
`

/** Every line of the script's own begins with this. */
const MARK = 'twonode-bootstrap '

/** The version of Node that we bring. */
export const NODE_VERSION = '24.21.0'

/** Where everything of ours lies on a host. */
export const INSTALL_ROOT = '/opt/twonode'

export interface BootstrapArguments {
  readonly root: string
  /** Content hash of the bundle. */
  readonly sha256: string
  /** 'system': the host's own Node, 22 or newer. */
  readonly runtime: 'bundled' | 'system'
  /** How to become root: not at all, by sudo without a password, or with one on stdin's first line. */
  readonly become: 'no' | 'sudo' | 'sudo-with-password'
}

/** The remote command. What is put into it is checked here: nothing else separates it from a shell. */
export function bootstrapCommand({ root, sha256, runtime, become }: BootstrapArguments): string {
  if (!/^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/.test(root))
    throw new RangeError(`not a plain absolute path: ${root}`)
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError(`not a sha256: ${sha256}`)
  const version = runtime === 'system' ? 'system' : NODE_VERSION
  const script = `/bin/sh -c '${BOOTSTRAP}' twonode ${root} ${sha256} ${version}`
  // -k: a password remembered on the host would leave ours unread, in front of the protocol.
  const sudo = { no: '', sudo: 'sudo -n -- ', 'sudo-with-password': 'sudo -k -S -p "" -- ' }[become]
  // English messages, which we read; `env` because log-in shells differ in how they set variables.
  return `exec env LC_ALL=C.UTF-8 ${sudo}${script}`
}

/** A line of the script, understood. */
export type BootstrapLine =
  | { readonly kind: 'start' | 'exec' }
  | { readonly kind: 'missing'; readonly pieces: readonly string[]; readonly arch: string }
  | { readonly kind: 'error'; readonly reason: string; readonly text: string }
  /** Anything else on standard output: what a log-in script prints. */
  | { readonly kind: 'noise' }

/** Understands one line of output before the runner's first. */
export function parseBootstrapLine(line: string): BootstrapLine {
  if (!line.startsWith(MARK)) return { kind: 'noise' }
  const rest = line.slice(MARK.length)
  if (rest === 'start' || rest === 'exec') return { kind: rest }
  const missing = /^missing=(?<pieces>[a-z,]+) arch=(?<arch>\S+)$/.exec(rest)?.groups
  if (missing !== undefined)
    return {
      kind: 'missing',
      pieces: (missing['pieces'] ?? '').split(',').filter((piece) => piece !== ''),
      arch: missing['arch'] ?? '',
    }
  const error = /^error=(?<reason>\S+) ?(?<text>.*)$/.exec(rest)?.groups
  if (error === undefined) return { kind: 'noise' }
  return { kind: 'error', reason: error['reason'] ?? '', text: error['text'] ?? '' }
}
