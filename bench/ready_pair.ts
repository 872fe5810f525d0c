import { openLab, removeByName, type Lab } from '../lab/lab.ts'
import { LabError } from '../lab/lab_error.ts'
import { HOST_NAMES, type HostName } from '../lab/names.ts'
import { agentStatus, arePaired, metaOf } from '../lab/pair_view.ts'
import { progressOnStderr } from '../lab/progress.ts'
import { countAnew, kubernetesServes } from '../lab/trial_pair.ts'
import { converge, explain, makeLaptop, type SiteSettings } from '../lab/twonode_process.ts'
import { until } from '../lab/wait.ts'

/** A pair that was just converged, or healed, is paired within this. @unit milliseconds */
const PAIRED_TIMEOUT_MS = 60_000

/** k3s starts in 5 s where nothing else runs. @unit milliseconds */
const KUBERNETES_TIMEOUT_MS = 180_000

/**
 * A lab of the bench's own with a converged pair, which is gone when the work has ended.
 *
 * @param settings - of the site, other than every lab's; asked for when the lab is up.
 */
export async function withPair(
  name: string,
  settings: (lab: Lab) => SiteSettings | Promise<SiteSettings>,
  work: (lab: Lab) => Promise<void>,
): Promise<void> {
  const lab = await openLab({ name, onProgress: progressOnStderr() })
  try {
    await Promise.all([lab.up(), lab.artefacts()])
    await lab.reset()
    const first = await converge(await makeLaptop(lab, 'bench', await settings(lab)))
    if (first.code !== 0) throw new LabError(explain(first), 'Converge the lab by hand and look.')
    await work(lab)
  } finally {
    await removeByName(name, progressOnStderr())
  }
}

/** Waits until the pair is one, serves on both hosts, and counts as calm; gives who leads. */
export async function readyPair(lab: Lab): Promise<HostName> {
  const leader = await pairedLeader(lab)
  await kubernetesServes(lab, KUBERNETES_TIMEOUT_MS)
  await countAnew(lab)
  return leader
}

/** A proof on the disk is renewed by the leader's word: an agent that was just started has not heard it (A3). */
export async function mayPromote(lab: Lab, follower: HostName): Promise<void> {
  await until(
    `${follower} to be promotable`,
    async () => (await agentStatus(lab, follower))['promotable'] === true || undefined,
    { timeoutMs: PAIRED_TIMEOUT_MS, everyMs: 200 },
  )
}

/** Waits until both hosts say paired, and gives who leads. */
async function pairedLeader(lab: Lab): Promise<HostName> {
  return await until(
    'the pair to be paired',
    () => {
      if (!arePaired(lab)) return undefined
      return HOST_NAMES.find((host) => metaOf(lab, host)?.leader === host)
    },
    { timeoutMs: PAIRED_TIMEOUT_MS },
  )
}
