import { connect } from 'node:net'

/** True if a TCP connection opens within the time. Nothing is sent. */
export async function isReachable(
  address: string,
  port: number,
  timeoutMs: number,
): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: address, port })
    const end = (answer: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => end(false), timeoutMs)
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
