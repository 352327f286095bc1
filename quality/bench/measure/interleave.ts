/**
 * Runs each contestant once per round, so that other load on the machine affects all of them. Each
 * round starts with another contestant, because conditions change within a round. By default the
 * first round is a warm-up and is dropped; set `warmUpRounds` to 0 if contestants restart with each
 * turn or are warm already.
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
