import { subscribe } from 'node:diagnostics_channel'
import { type StagePoint, stageChannelName } from '@orderly/kafka'

/** For `--import`: the process dies the way `kill -9` kills when its stage passes the point for the given time, as in `before-commit:3`. */
const [point, pass] = (process.env.KILL_AT_POINT ?? '').split(':')
let passes = 0
subscribe(stageChannelName, message => {
  if ((message as { point: StagePoint }).point === point && ++passes === Number(pass))
    process.kill(process.pid, 'SIGKILL')
})
