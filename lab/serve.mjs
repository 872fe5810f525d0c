// The lab's apt repository over HTTP: `node serve.mjs MARK ADDRESS PORT DIRECTORY`. MARK is what
// `lab down` finds this process by. Plain JavaScript on Node's own modules: nothing has to be built
// before it can start, from a bundle or from a test alike.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { basename, join } from 'node:path'

const [, address, port, directory] = process.argv.slice(2)

const server = createServer(async (request, response) => {
  // A flat repository: the last part of the path is the file, whatever stands before it.
  const name = basename(decodeURIComponent(new URL(request.url ?? '/', 'http://lab').pathname))
  const file = join(directory, name)
  const info = await stat(file).catch(() => undefined)
  if (!info?.isFile()) return void response.writeHead(404).end()
  response.writeHead(200, {
    'content-length': info.size,
    'last-modified': info.mtime.toUTCString(),
  })
  if (request.method === 'HEAD') return void response.end()
  createReadStream(file)
    .on('error', () => response.destroy())
    .pipe(response)
})

server.listen(Number(port), address)
