const words = new Uint32Array(1 << 14).map((_, index) => index)
const rounds = 400

/**
 * Processor time of work that is always the same, in ms: how fast the machine is at the moment. What costs more while this takes longer costs
 * more by the machine.
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

// For the compiler.
for (let count = 0; count < 10; count++) measureMachine()
