import { redactor, type Secret } from '../core/secret.ts'

/** Takes every secret known so far out of what leaves the process; more become known as they are made. */
export class Redaction {
  readonly #secrets: Secret[] = []
  #redact: (text: string) => string = (text) => text

  add(...secrets: readonly Secret[]): void {
    this.#secrets.push(...secrets)
    this.#redact = redactor(this.#secrets)
  }

  readonly apply = (text: string): string => this.#redact(text)
}
