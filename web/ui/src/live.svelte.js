// What the page knows: the latest update of the span that is shown, who is blocked, and where the reader is.
import { ask, change } from './ask.js'

export const live = $state({
  update: null, // of the stream
  problem: '', // why the last review failed
  lost: false, // whether the stream is broken
  since: '', // a span of the server's list, or its default
  paused: false,
  blocks: null, // the document of blocks
  blocksProblem: '',
  fleet: null, // the document of the fleet, once it was looked at
  fleetProblem: '',
  route: read(),
  said: null, // what the last change did: {text, refused, undo}
  dialog: null, // {act, target}: the change that is being confirmed
  help: false,
})

function read() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?')
  const [view, ...rest] = path.split('/')
  return { view: view || 'overview', arg: decodeURIComponent(rest.join('/')), query: new URLSearchParams(query ?? '') }
}

let source = null
let waiting = null

export function follow() {
  source?.close()
  live.lost = false
  source = new EventSource(`/api/events?since=${encodeURIComponent(live.since)}`)
  source.addEventListener('review', (e) => {
    live.lost = false
    live.problem = ''
    const update = JSON.parse(e.data)
    if (live.paused) waiting = update
    else live.update = update
  })
  source.addEventListener('problem', (e) => {
    live.problem = JSON.parse(e.data).error
  })
  source.onerror = () => {
    live.lost = true
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 5000)
  }
}

export function pause() {
  live.paused = !live.paused
  if (!live.paused && waiting) live.update = waiting
  waiting = null
}

export function choose(since) {
  live.since = since
  live.update = null
  follow()
}

export async function reload() {
  try {
    live.blocks = await ask('/api/blocks')
    live.blocksProblem = ''
  } catch (e) {
    live.blocksProblem = e.message
  }
}

// bits are an address as a row of zeros and ones; '' if it is none. Those of both kinds differ in length.
function bits(addr) {
  const four = (t) => t.split('.').map((n) => Number(n).toString(2).padStart(8, '0')).join('')
  if (!addr.includes(':')) return /^[0-9.]+$/.test(addr) ? four(addr) : ''
  const [front, back] = addr.split('::').map((half) => half.split(':').filter(Boolean).map((g) => parseInt(g, 16).toString(2).padStart(16, '0')))
  return [...front, ...Array(back ? Math.max(0, 8 - front.length - back.length) : 0).fill('0'.repeat(16)), ...(back ?? [])].join('')
}
const held = $derived.by(() =>
  (live.blocks?.blocks ?? []).filter((b) => b.state === 'in_force').map((b) => {
    const [addr, length] = b.target.split('/')
    const all = bits(addr)
    return { block: b, size: all.length, prefix: all.slice(0, length ? Number(length) : all.length) }
  }),
)

// blockOf is the block in force that holds an address, by its own name or within a prefix: IPv6 is blocked by /64.
export function blockOf(addr) {
  const all = bits(addr)
  return all && held.find((h) => h.size === all.length && all.startsWith(h.prefix))?.block
}

// whole is what a block of an address is of: one of IPv6 goes with the /64 that is judged with it.
export const whole = (addr) => live.update?.review.peers.find((p) => p.addr === addr)?.prefix ?? addr

export function open(path) {
  location.hash = path
}

export const toAddr = (addr) => `#/ip/${encodeURIComponent(addr)}`

const words = { block: 'Blocked', confirm: 'Kept', unblock: 'Unblocked', allow: 'Never to be blocked', disallow: 'May be blocked again', undo: 'Taken back' }

// act does a change and tells what came of it, with the way back.
export async function act(name, body) {
  try {
    const d = await change(name, body)
    const refused = d.refused.map((r) => (r.target ? `${r.target}: ${r.why}` : r.why))
    const done = [...(d.blocks ?? []), ...(d.lifted ?? []), ...(d.allowed ?? []), ...(d.disallowed ?? [])]
    live.said = {
      text: done.length ? `${words[name]}: ${[...new Set(done.map((b) => b.target))].map(trim).join(', ')}` : refused.length ? 'Nothing was done' : words[name],
      detail: [...(d.proof ?? []), d.killed == null ? '' : `${d.killed} connections closed`].filter(Boolean).join('. '),
      refused,
      problems: d.problems.map((p) => `${p.what}: ${p.why}`),
      undo: name === 'undo' ? 0 : (d.change ?? 0),
      confirm: name === 'block' ? (d.blocks?.find((b) => b.confirm_by)?.confirm_by ?? '') : '',
    }
  } catch (e) {
    live.said = { text: 'Nothing was done', detail: '', refused: [e.message], problems: [], undo: 0 }
  }
  await reload()
}

const trim = (t) => t.replace(/^([^:]*)\/32$/, '$1').replace(/\/128$/, '')

addEventListener('hashchange', () => {
  live.route = read()
  live.help = false
})
