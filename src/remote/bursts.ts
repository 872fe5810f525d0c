import type { Socket } from 'node:net'

/**
 * Counts a client's bursts on a socket: sends that follow a receive, the first one included. It is
 * what a link's delay is paid for, so it is the figure that a converge is held to.
 */
export function countBursts(socket: Socket): () => number {
  let bursts = 0
  let receivedBefore = -1
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
  socket.write = (...args: unknown[]): boolean => {
    if (socket.bytesRead !== receivedBefore) bursts++
    receivedBefore = socket.bytesRead
    return write(...args)
  }
  return () => bursts
}
