// The hosts of the fleet, as the daemon of this one sees them.
import { ask } from './ask.js'
import { live } from './live.svelte.js'

// Worst first: who is silent may be dead, who was stopped was stopped by somebody.
export const healths = ['critical', 'silent', 'warning', 'unknown', 'stopped', 'ok']
export const rank = (health) => (healths.includes(health) ? healths.indexOf(health) : healths.length) // what is no word of ours comes last
export const tone = (health) => ({ critical: 'harm', ok: '', stopped: 'dim' })[health] ?? 'doubt'
export const toHost = (host) => `#/fleet/${encodeURIComponent(host)}`

const rest = 5000 // ms between two looks, which cost the engine a little

// lookOut asks for the fleet again and again until the function that it returns is called.
export function lookOut() {
  const stop = new AbortController()
  let next = 0
  async function look() {
    if (!live.paused && !document.hidden) {
      try {
        live.fleet = await ask('/api/fleet', stop.signal)
        live.fleetProblem = ''
      } catch (e) {
        if (e.name === 'AbortError') return
        live.fleetProblem = e.message
      }
    }
    if (!stop.signal.aborted) next = setTimeout(look, rest)
  }
  look()
  return () => {
    stop.abort()
    clearTimeout(next)
  }
}
