// Builds dist/: the command line, the bundle that runs on hosts, and the lab's programs.
import { build } from 'esbuild'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import Ajv from 'ajv'
import standaloneCode from 'ajv/dist/standalone/index.js'

const ROOT = resolve(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

/** esbuild's output for CommonJS parts inside an ES module needs these names. */
const REQUIRE = `import { createRequire as __cr } from 'node:module'
import { fileURLToPath as __fu } from 'node:url'
import { dirname as __dn } from 'node:path'
const require = __cr(import.meta.url), __filename = __fu(import.meta.url), __dirname = __dn(__filename)`

const shared = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  absWorkingDir: ROOT,
  logLevel: 'warning',
  banner: { js: REQUIRE },
  define: { __VERSION__: JSON.stringify(version) },
  loader: { '.node': 'empty' },
  external: ['cpu-features', 'pg-native'],
}

/** A build of our own beside another one of ours: the loser's rename replaces the same content. */
const staging = join(ROOT, `dist.${process.pid}`)
rmSync(staging, { recursive: true, force: true })
mkdirSync(staging, { recursive: true })

const validators = await standaloneValidators()
const [onHosts, onLaptops] = await Promise.all([hostBundle(), cli(), programs()])
writeFileSync(join(staging, 'licences.txt'), licences(onHosts, onLaptops))
publish()

/**
 * Every module's schema compiled to code (ajv takes 80 ms to compile them at each start). The result
 * replaces modules/parts/schema_compiler.ts in what is bundled.
 */
async function standaloneValidators() {
  const outfile = join(staging, 'schemas.mjs')
  await build({
    ...shared,
    entryPoints: [join(ROOT, 'modules/index.ts')],
    outfile,
    external: [...shared.external, 'ajv'],
  })
  const { MODULES } = await import(pathToFileURL(outfile).href)
  rmSync(outfile)
  const { AJV_OPTIONS } = await ajvOptions()
  const ajv = new Ajv({ ...AJV_OPTIONS, code: { source: true, esm: true } })
  const names = {}
  for (const module of MODULES) {
    ajv.addSchema(module.schema, module.name)
    names[`validate_${module.name}`] = module.name
  }
  const code = standaloneCode(ajv, names)
  const table = Object.entries(names).map(([symbol, name]) => `${JSON.stringify(name)}: ${symbol}`)
  return `${code}\nconst table = {${table.join(', ')}}\nexport const compiledSchemas = (name) => table[name]\n`
}

/** The options of the runtime compiler, so that both judge alike. */
async function ajvOptions() {
  const outfile = join(staging, 'options.mjs')
  await build({ ...shared, entryPoints: [join(ROOT, 'modules/parts/ajv_options.ts')], outfile })
  const options = await import(pathToFileURL(outfile).href)
  rmSync(outfile)
  return options
}

function withCompiledSchemas() {
  return {
    name: 'compiled-schemas',
    setup(esbuild) {
      esbuild.onLoad({ filter: /modules\/parts\/schema_compiler\.ts$/ }, () => ({
        contents: validators,
        loader: 'js',
        resolveDir: ROOT,
      }))
    },
  }
}

/** Runner and agent: an entry each, what they share in chunks; named by the hash of them all. */
async function hostBundle() {
  const outdir = join(staging, 'bundle')
  const { metafile } = await build({
    ...shared,
    metafile: true,
    target: 'node22',
    minify: true,
    keepNames: true,
    splitting: true,
    entryPoints: {
      main: join(ROOT, 'src/runner/main.ts'),
      agent: join(ROOT, 'src/agent/main.ts'),
    },
    outdir,
    outExtension: { '.js': '.mjs' },
    chunkNames: '[name]-[hash]',
    plugins: [withCompiledSchemas()],
  })
  const files = readdirSync(outdir).sort()
  const hash = createHash('sha256')
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(outdir, file)))
      .update('\0')
  const manifest = { sha256: hash.digest('hex'), version, files }
  writeFileSync(join(outdir, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return metafile
}

async function cli() {
  const { metafile } = await build({
    ...shared,
    metafile: true,
    minify: true,
    keepNames: true,
    splitting: true,
    entryPoints: { twonode: join(ROOT, 'src/cli/main.ts') },
    outdir: staging,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    banner: { js: `#!/usr/bin/env node\n${REQUIRE}` },
    plugins: [withCompiledSchemas()],
  })
  return metafile
}

/** Programs of the repository itself, no part of the package; their libraries stay in node_modules. */
async function programs() {
  const entries = {
    lab: 'lab/main.ts',
    demo: 'lab/demo.ts',
    bench: 'bench/main.ts',
    writer: 'lab/writer.ts',
    claim_racer: 'lab/claim_racer.ts',
  }
  const present = Object.entries(entries).filter(([, path]) => existsSync(join(ROOT, path)))
  await build({
    ...shared,
    banner: {},
    packages: 'external',
    entryPoints: Object.fromEntries(present.map(([name, path]) => [name, join(ROOT, path)])),
    outdir: staging,
    outExtension: { '.js': '.mjs' },
    splitting: true,
    chunkNames: 'lab/[name]-[hash]',
  })
}

/** The libraries whose code is in what is shipped, each with its own words. */
function licences(...metafiles) {
  const inputs = metafiles.flatMap(({ inputs: all }) => Object.keys(all))
  const folders = inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [])
  const texts = [...new Set(folders)].sort().map((folder) => {
    const {
      name,
      version: its,
      license = 'as below',
    } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'))
    const file = readdirSync(join(ROOT, folder)).find((one) => /^licen[cs]e/i.test(one))
    const words = file === undefined ? '' : readFileSync(join(ROOT, folder, file), 'utf8')
    return `${name} ${its} (${license})\n\n${words.trim()}\n`
  })
  return texts.join(`\n${'-'.repeat(80)}\n`)
}

/** dist/ appears whole: a program that starts meanwhile sees the old one or the new one. */
function publish() {
  const old = join(ROOT, `dist.old.${process.pid}`)
  if (existsSync(DIST)) renameSync(DIST, old)
  renameSync(staging, DIST)
  rmSync(old, { recursive: true, force: true })
}
