import { subscribe } from 'node:diagnostics_channel'
import { stageChannelName } from '@orderly/kafka'

/** Preloaded by tests: dies the way `kill -9` kills when the point that KILL_AT names is passed for the so-manieth time. */
const [point, pass] = (process.env.KILL_AT ?? '').split(' ')
let passes = 0
subscribe(stageChannelName, message => {
  if ((message as { point: string }).point === point && ++passes === Number(pass)) process.kill(process.pid, 'SIGKILL')
})
