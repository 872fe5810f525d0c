import type { Output } from './world.ts'
import type { Report } from './report.ts'

/** One JSON object a line, as the events come; a site's last line is its summary. */
export function jsonReport(out: Output): Report {
  return {
    emit(event) {
      out.write(`${JSON.stringify(event)}\n`)
    },
    end() {},
  }
}
