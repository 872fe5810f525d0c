import type { Outage } from './outages.ts'
import type { Random } from './random.ts'
import type { Partition } from './running_agent.ts'

/** What begins, what ends it, and how often it is drawn. HOST is one of the two, drawn anew each time. */
interface Weather {
  readonly begin: readonly string[]
  readonly end?: readonly string[]
  readonly weight: number
  /** Its parts begin within so much of each other. Default: at once or within 6 s, by chance. @unit milliseconds */
  readonly withinMs?: number
}

// oxfmt-ignore
const WEATHER: readonly Weather[] = [
  { weight: 8, begin: ['power-off HOST'],                         end: ['power-on HOST'] },
  { weight: 2, begin: ['power-off HOST', 'power-off PEER'],       end: ['power-on HOST', 'power-on PEER'] },
  { weight: 6, begin: ['cut HOST', 'cut PEER'],                   end: ['join HOST', 'join PEER'] },
  { weight: 3, begin: ['cut HOST'],                               end: ['join HOST'] },
  { weight: 5, begin: ['cut HOST', 'cut PEER', 'cut-gateway HOST'], end: ['join HOST', 'join PEER', 'join-gateway HOST'] },
  { weight: 2, begin: ['cut HOST', 'cut PEER', 'gateway-dies'],   end: ['gateway-returns', 'join HOST', 'join PEER'] },
  { weight: 4, begin: ['cut-gateway HOST'],                       end: ['join-gateway HOST'] },
  { weight: 2, begin: ['gateway-dies'],                           end: ['gateway-returns'] },
  { weight: 3, begin: ['freeze HOST'],                            end: ['thaw HOST'] },
  { weight: 4, begin: ['freeze HOST all'],                        end: ['thaw HOST'] },
  { weight: 3, begin: ['kill-agent HOST'] },
  { weight: 2, begin: ['hang-agent HOST'] },
  { weight: 2, begin: ['mask-agent HOST', 'kill-agent HOST'],     end: ['unmask-agent HOST'] },
  { weight: 2, begin: ['kill-kine HOST'] },
  { weight: 3, begin: ['crash-postgres HOST'] },
  { weight: 3, begin: ['stop-postgres HOST'],                     end: ['repair-postgres HOST'] },
  { weight: 3, begin: ['fill-disk HOST'],                         end: ['free-disk HOST'] },
  { weight: 2, begin: ['tight-disk HOST', 'power-off PEER'],       end: ['roomy-disk HOST', 'power-on PEER'] },
  { weight: 2, begin: ['delay 30'],                               end: ['delay 0'] },
  { weight: 1, begin: ['delay 400'],                              end: ['delay 0'] },
  { weight: 2, begin: ['loss 20'],                                end: ['loss 0'] },
  { weight: 1, begin: ['loss 60'],                                end: ['loss 0'] },
  { weight: 1, begin: ['step-clock HOST -86400'] },
  { weight: 1, begin: ['step-clock HOST 7200'] },
  { weight: 2, begin: ['lose-slot HOST'] },
  { weight: 2, begin: ['drop-slot HOST'] },
  { weight: 1, begin: ['conflict HOST'] },
  { weight: 2, begin: ['lock HOST 8'] },
  { weight: 2, begin: ['pause HOST'],                             end: ['resume HOST'] },
  { weight: 2, begin: ['switchover HOST'] },
  { weight: 1, begin: ['switchover HOST', 'stop-postgres PEER'],  end: ['repair-postgres PEER'], withinMs: 100 },
  { weight: 1, begin: ['switchover HOST', 'fill-disk PEER'],      end: ['free-disk PEER'], withinMs: 300 },
  { weight: 1, begin: ['switchover HOST', 'crash-postgres PEER'], withinMs: 300 },
  { weight: 1, begin: ['promote HOST'] },
]

/** What comes to it where the site has a witness. */
// oxfmt-ignore
const WITNESS_WEATHER: readonly Weather[] = [
  { weight: 6, begin: ['witness-dies'],                           end: ['witness-returns'] },
  { weight: 4, begin: ['cut-witness HOST'],                       end: ['join-witness HOST'] },
  { weight: 4, begin: ['witness-loses 50'],                       end: ['witness-loses 0'] },
  { weight: 4, begin: ['witness-delay 900'],                      end: ['witness-delay 0'] },
  { weight: 6, begin: ['cut HOST', 'cut PEER', 'witness-loses 50'], end: ['join HOST', 'join PEER', 'witness-loses 0'] },
  { weight: 4, begin: ['cut HOST', 'cut PEER', 'cut-witness HOST'], end: ['join HOST', 'join PEER', 'join-witness HOST'] },
]

/** What comes to it where who has powered the other one off goes on. */
// oxfmt-ignore
const POWER_WEATHER: readonly Weather[] = [
  { weight: 4, begin: ['controller-dies HOST', 'power-off HOST'], end: ['controller-returns HOST', 'power-on HOST'] },
  { weight: 4, begin: ['cut-controller HOST'],                    end: ['join-controller HOST'] },
  { weight: 4, begin: ['controllers-lose 50'],                    end: ['controllers-lose 0'] },
  { weight: 4, begin: ['controllers-delay 1800'],                 end: ['controllers-delay 0'] },
  { weight: 6, begin: ['cut HOST', 'cut PEER', 'controllers-lose 50'], end: ['join HOST', 'join PEER', 'controllers-lose 0'] },
  { weight: 6, begin: ['cut HOST', 'cut PEER', 'cut-controller HOST'], end: ['join HOST', 'join PEER', 'join-controller HOST', 'power-on PEER', 'power-on HOST'] },
]

const WEATHER_OF: Readonly<Record<Partition, readonly Weather[]>> = {
  availability: WEATHER,
  consistency: [...WEATHER, ...WITNESS_WEATHER],
  power: [...WEATHER, ...POWER_WEATHER],
}

/** How often a link that flaps changes. @unit milliseconds */
const FLAP_MS = { low: 300, high: 4_000 }

/** The outages of one seed: some at once, some in a row, from before the first to the last one's end. */
export function stormOf(
  random: Random,
  settings: { fromMs: number; toMs: number; partition: Partition },
): Outage[] {
  const { fromMs, toMs, partition } = settings
  const weather = WEATHER_OF[partition]
  const outages: Outage[] = []
  const count = random.between(2, 7)
  for (let drawn = 0; drawn < count; drawn++) {
    const atMs = random.between(fromMs, toMs)
    if (random.chance(0.05)) outages.push(...flapping(random, atMs))
    else outages.push(...one(random, atMs, weather))
  }
  // In the order of their times; those of one time in the order in which they were drawn.
  return outages.toSorted((a, b) => a.atMs - b.atMs)
}

function one(random: Random, atMs: number, weathers: readonly Weather[]): Outage[] {
  const { begin, end = [], withinMs } = draw(random, weathers)
  const host = random.pick(['h1', 'h2'])
  const named = (text: string) =>
    text.replace('HOST', host).replace('PEER', host === 'h1' ? 'h2' : 'h1')
  const lastsMs = random.chance(0.5) ? random.between(300, 9_000) : random.between(5_000, 45_000)
  // The parts of one outage need not come at the same instant, nor end so.
  const spreadMs = () => (random.chance(0.5) ? 0 : random.between(0, withinMs ?? 6_000))
  return [
    ...begin.map((text) => ({ atMs: atMs + spreadMs(), text: named(text) })),
    ...end.map((text) => ({ atMs: atMs + 6_000 + lastsMs + spreadMs(), text: named(text) })),
  ]
}

function flapping(random: Random, atMs: number): Outage[] {
  const outages: Outage[] = []
  const times = random.between(3, 10)
  let at = atMs
  for (let flap = 0; flap < times; flap++) {
    for (const word of ['cut', 'join']) {
      outages.push({ atMs: at, text: `${word} h1` }, { atMs: at, text: `${word} h2` })
      at += random.between(FLAP_MS.low, FLAP_MS.high)
    }
  }
  return outages
}

function draw(random: Random, weathers: readonly Weather[]): Weather {
  let left = random.next() * weathers.reduce((sum, { weight }) => sum + weight, 0)
  for (const weather of weathers) {
    left -= weather.weight
    if (left < 0) return weather
  }
  throw new Error('the weights do not add up')
}
