import { subscribe } from 'node:diagnostics_channel'
import { stageChannelName } from '@orderly/kafka'

/**
 * Preloaded by tests: sends SIGKILL to the process on the n-th pass of the failpoint named by
 * KILL_AT.
 */
const [point, pass] = (process.env.KILL_AT ?? '').split(' ')
let passes = 0
subscribe(stageChannelName, message => {
  if ((message as { point: string }).point === point && ++passes === Number(pass)) process.kill(process.pid, 'SIGKILL')
})
