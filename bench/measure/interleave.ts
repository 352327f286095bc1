/**
 * Lets everybody take a turn in each round, round after round, so that whatever else the machine does hits all of them. Who begins
 * changes from round to round: the first in a row meets another machine than the last. The first round is for warming up and is dropped,
 * unless everybody begins anew with each turn, or has been warmed up.
 */
export async function interleave<Contestant, Sample>(
  contestants: readonly Contestant[],
  rounds: number,
  run: (contestant: Contestant, round: number) => Promise<Sample>,
  { warmUpRounds = 1 }: { readonly warmUpRounds?: number } = {}
): Promise<Map<Contestant, Sample[]>> {
  const samples = new Map<Contestant, Sample[]>(contestants.map(contestant => [contestant, []]))
  for (let round = 0; round < warmUpRounds + rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const contestant = contestants[(turn + round) % contestants.length] as Contestant
      const sample = await run(contestant, round)
      if (round >= warmUpRounds) samples.get(contestant)?.push(sample)
    }
  }
  return samples
}
