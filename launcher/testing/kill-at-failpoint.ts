import { subscribe } from 'node:diagnostics_channel'
import { stageChannelName } from '@orderly/kafka'

/**
 * Sends the signal KILL_WITH (SIGKILL unless set) to the process when it passes the failpoint
 * KILL_AT for the n-th time, as in `before-commit:3`. Loaded with `--import`. Observes the failpoints
 * of stages and of orders with a key.
 */
const [point, pass = '1'] = (process.env.KILL_AT ?? '').split(':')
let passes = 0
for (const channel of [stageChannelName, 'orderly:keyed-order']) {
  subscribe(channel, message => {
    if ((message as { point: string }).point === point && ++passes === Number(pass))
      process.kill(process.pid, process.env.KILL_WITH ?? 'SIGKILL')
  })
}
