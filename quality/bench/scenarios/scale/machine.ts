const words = new Uint32Array(1 << 14).map((_, index) => index)
const rounds = 400

/**
 * Returns the CPU time in ms of a fixed piece of work, which measures the current speed of the
 * machine. If it grows along with other costs, the machine is the cause.
 */
export function measureMachine(): number {
  const before = process.threadCpuUsage()
  let hash = 1
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < words.length; index++) {
      hash = Math.imul(hash ^ (words[index] as number), 16_777_619)
      words[index] = hash
    }
  }
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1_000
}

// Warms up the compiler.
for (let count = 0; count < 10; count++) measureMachine()
