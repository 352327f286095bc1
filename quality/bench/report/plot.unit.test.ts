import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barPlot, linePlot, short } from './plot.ts'

test('the length of bars is proportional to their values, and labels are escaped', () => {
  const svg = barPlot('a <title>', 'per second', [
    { label: 'ours & theirs', value: 100 },
    { label: 'half', value: 50, lowest: 40, highest: 60 }
  ])
  const widths = [...svg.matchAll(/height="22"/g)].length
  const [, whole, half] = /width="([\d.]+)" height="22"[\s\S]*width="([\d.]+)" height="22"/.exec(svg) ?? []
  assert.equal(widths, 2)
  assert.ok(Math.abs(Number(whole) / Number(half) - 2) < 0.01)
  assert.ok(svg.includes('a &lt;title&gt;') && svg.includes('ours &amp; theirs'))
})

test('a line passes through its points on a scale from zero to a round number', () => {
  const svg = linePlot({
    title: 't',
    x: 'seconds',
    y: 'lag',
    series: [
      {
        name: 'lag',
        points: [
          [0, 0],
          [10, 800]
        ]
      }
    ]
  })
  assert.match(svg, /<polyline points="80,300 700,108"/)
  assert.match(svg, />1000<\/text>/)
})

test('numbers are shortened to three significant digits', () => {
  assert.deepEqual([0, 1.234, 999.6, 12_345, 2_500_000].map(short), ['0', '1.23', '1000', '12.3k', '2.5M'])
})
