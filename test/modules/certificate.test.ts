import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { certificate } from '../../modules/certificate.ts'
import { makeAuthority } from '../../src/host/x509.ts'
import { localWorld } from '../support/local_world.ts'
import { moduleCases } from '../support/module_cases.ts'
import { moduleLaws } from '../support/module_laws.ts'

moduleCases(certificate)

const authority = makeAuthority('a site')

/** The site's authority is looked for in the world's folder. */
const withAuthority = () =>
  localWorld(async (host, root) => {
    const pem = await authority
    const caCertificatePath = join(root, 'ca.crt')
    const caKeyPath = join(root, 'ca.key')
    await writeFile(caCertificatePath, pem.certificatePem)
    await writeFile(caKeyPath, pem.keyPem)
    return {
      certificate: async (path, query) =>
        await host.certificate(path, { ...query, caCertificatePath }),
      issue: async (request) => await host.issue({ ...request, caCertificatePath, caKeyPath }),
    }
  })

const files = { path: 'ROOT/tls.crt', key: 'ROOT/tls.key' }
moduleLaws(certificate, withAuthority, [
  {
    title: 'of a server',
    args: { ...files, common_name: 'h1', sans: ['10.0.0.1', 'localhost'], usages: ['server'] },
  },
  { title: 'of a client', args: { ...files, common_name: 'kine', usages: ['client'] } },
  {
    title: 'of both',
    args: { ...files, common_name: 'agent', sans: ['::1'], usages: ['server', 'client'] },
  },
])
