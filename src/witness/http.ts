import { randomUUID } from 'node:crypto'
import { messageOf } from '../core/errors.ts'
import { type Claim, parseClaim, serialiseClaim } from '../pair/claim.ts'
import type { Witness, WitnessRead, WitnessSilent, WitnessSwap } from '../pair/witness.ts'
import { askOverHttp, type HttpAnswer, type HttpAsked, type HttpPlace } from './http_request.ts'

const WRITTEN: readonly number[] = [200, 201, 204]
/** 409: S3's, for two that write at once. @source https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
const REFUSED: readonly number[] = [409, 412]

const FIRST = { 'if-none-match': '*' } as const

/**
 * Any HTTP server with GET and conditional PUT (RFC 9110, section 13.1): a small one of ours, a WebDAV
 * server, an S3-like store. Whatever is not exactly the answer that was expected is no answer.
 */
export class HttpWitness implements Witness {
  readonly #place: HttpPlace
  readonly #site: string
  #isTried = false

  constructor(place: HttpPlace, site: string) {
    this.#place = place
    this.#site = site
  }

  nonce(): string {
    return randomUUID()
  }

  async read(): Promise<WitnessRead> {
    return await this.#answered(async (): Promise<WitnessRead> => {
      await this.#beTried()
      const { status, etag, text } = await this.#ask({ method: 'GET' })
      if (status === 404) return { kind: 'absent' }
      if (status !== 200) throw new Error(`it answers ${status}`)
      if (etag === null) throw new Error('it gives no strong ETag: it can not swap a claim')
      return { kind: 'claim', claim: parseClaim(text, this.#site), version: etag }
    })
  }

  async swap(next: Claim, over: string | null): Promise<WitnessSwap> {
    return await this.#answered(async (): Promise<WitnessSwap> => {
      await this.#beTried()
      const headers = over === null ? FIRST : { 'if-match': over }
      const { status } = await this.#ask({ method: 'PUT', headers, body: serialiseClaim(next) })
      if (WRITTEN.includes(status)) return { kind: 'written' }
      if (REFUSED.includes(status)) return { kind: 'lost' }
      throw new Error(`it answers ${status}`)
    })
  }

  /**
   * A server that writes whatever the condition says, or gives two contents one version, would let both
   * hosts win: once in the life of an agent it must refuse what has to be refused, on an object of its own
   * beside the claim. The peer may try it at the same time.
   */
  async #beTried(): Promise<void> {
    if (this.#isTried) return
    const place = { ...this.#place, url: besides(this.#place.url) }
    const put = async (headers: Readonly<Record<string, string>>) =>
      await askOverHttp(place, { method: 'PUT', headers, body: `{"trial":"${randomUUID()}"}\n` })
    const first = await put(FIRST)
    if (!isEither(first)) throw new Error(`it answers ${first.status} to a first write`)
    mustRefuse(await put(FIRST))
    const before = await versionAt(place)
    const next = await put({ 'if-match': before })
    if (!isEither(next)) throw new Error(`it answers ${next.status} to a swap`)
    // As quickly as two hosts might: a version by the second of the write is the same one.
    if ((await versionAt(place)) === before)
      throw new Error(
        'it has one version for two contents: it is no witness, for it would let both hosts win',
      )
    mustRefuse(await put({ 'if-match': before }))
    this.#isTried = true
  }

  async #ask(asked: HttpAsked): Promise<HttpAnswer> {
    return await askOverHttp(this.#place, asked)
  }

  async #answered<T>(act: () => Promise<T>): Promise<T | WitnessSilent> {
    try {
      return await act()
    } catch (error) {
      return { kind: 'silent', why: `${shown(this.#place.url)}: ${messageOf(error)}` }
    }
  }
}

/** @throws Error for a write that was not to be */
function mustRefuse({ status }: HttpAnswer): void {
  if (!REFUSED.includes(status))
    throw new Error(
      `it answers ${status} to a write whose condition does not hold: it is no witness, for it would let both hosts win`,
    )
}

async function versionAt(place: HttpPlace): Promise<string> {
  const { status, etag } = await askOverHttp(place, { method: 'GET' })
  if (status !== 200) throw new Error(`it answers ${status} for what it has just written`)
  if (etag === null) throw new Error('it gives no strong ETag: it can not swap a claim')
  return etag
}

function isEither({ status }: HttpAnswer): boolean {
  return WRITTEN.includes(status) || REFUSED.includes(status)
}

/** The object that is written for a trial. */
function besides(url: string): string {
  const other = new URL(url)
  other.pathname += '.trial'
  return other.href
}

/** Without what may be secret in it. */
function shown(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}
