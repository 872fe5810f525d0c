const FORMAT = '${db:Status-Abbrev}\\t${Package}\\t${Architecture}\\t${Version}\\n'

/** One command for all packages. @source https://manpages.debian.org/dpkg-query */
export function packageQuery(names: readonly string[]): readonly string[] {
  return ['dpkg-query', '-W', '-f', FORMAT, '--', ...names]
}

/**
 * Installed versions by the names that were asked for. Only what is wholly installed counts (`ii`, or
 * `hi` on hold): an unpacked or half-configured package is not there yet.
 */
export function parsePackages(
  names: readonly string[],
  stdout: string,
): ReadonlyMap<string, string | undefined> {
  const installed = new Map<string, string>()
  for (const line of stdout.split('\n')) {
    const [status = '', name, architecture, version] = line.split('\t')
    if (!/^[ih]i/.test(status) || name === undefined || version === undefined) continue
    installed.set(`${name}:${architecture}`, version)
    if (!installed.has(name)) installed.set(name, version)
  }
  return new Map(names.map((name) => [name, installed.get(name)]))
}
