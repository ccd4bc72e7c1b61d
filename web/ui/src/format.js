// Figures and times as the terminal shows them. Times stay in the zone of the server, whose logs they are of.

export const verdicts = ['malicious', 'suspicious', 'bot', 'crawler', 'normal']

export const thousands = (n) => String(Math.round(n ?? 0)).replace(/\B(?=(\d{3})+$)/g, ',')
export const nonzero = (n) => (n ? thousands(n) : '')
export const plural = (n, one, many = one + 's') => `${thousands(n)} ${n === 1 ? one : many}`

export function percent(part, total) {
  const share = total ? part / total : 0
  if (share === 0) return '0%'
  return share < 0.01 ? '<1%' : `${Math.round(share * 100)}%`
}

export function size(n) {
  if (!n) return ''
  if (n < 1000) return `${n} B`
  for (const unit of ['kB', 'MB', 'GB', 'TB', 'PB']) {
    n /= 1000
    if (n < 999.5) return `${n < 9.95 ? n.toFixed(1) : Math.round(n)} ${unit}`
  }
  return `${Math.round(n / 1000)} EB`
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

// clock is the time of day in an RFC 3339 text, day its date.
export const clock = (text) => (text ? text.slice(11, 19) : '')
export const day = (text) => (text ? `${Number(text.slice(8, 10))} ${months[Number(text.slice(5, 7)) - 1]}` : '')
export const when = (text) => (text ? `${day(text)} ${clock(text)}` : '')

export function zone(text) {
  const offset = text?.slice(19).replace(/^\.\d+/, '') ?? ''
  return offset === 'Z' || offset === '+00:00' ? 'UTC' : offset
}

export function spanOf(first, last) {
  if (!first || !last) return ''
  if (clock(first) === clock(last) && day(first) === day(last)) return when(first)
  return day(first) === day(last) ? `${when(first)} to ${clock(last)}` : `${when(first)} to ${when(last)}`
}

// moments are the times of a timeline's bars, as text of the server's zone.
export function barTime(start, step, i) {
  const text = start.slice(19).replace(/^\.\d+/, '')
  const m = /^([+-])(\d\d):(\d\d)$/.exec(text)
  const offset = m ? (m[1] === '-' ? -1 : 1) * (Number(m[2]) * 60 + Number(m[3])) * 60000 : 0
  return new Date(Date.parse(start) + i * step * 1000 + offset).toISOString()
}

// stepWord is what a bar stands for: 'minute', '5 minutes', 'hour', '4 hours', 'day'.
export function stepWord(step) {
  const [n, word] = step < 3600 ? [step / 60, 'minute'] : step < 86400 ? [step / 3600, 'hour'] : [step / 86400, 'day']
  return n === 1 ? word : `${n} ${word}s`
}
export const perStep = (step) => (/^\d/.test(stepWord(step)) ? `in ${stepWord(step)}` : `${stepWord(step) === 'hour' ? 'an' : 'a'} ${stepWord(step)}`)

export function left(until, now) {
  if (!until) return 'no end'
  let s = Math.max(0, Math.round((Date.parse(until) - Date.parse(now)) / 1000))
  const pair = (a, unit, b, part) => (b ? `${a}${unit} ${b}${part}` : `${a}${unit}`)
  if (s < 60) return `${s}s`
  if (s < 3600) return pair(Math.floor(s / 60), 'm', s % 60, 's')
  s = Math.floor(s / 60)
  if (s < 1440) return pair(Math.floor(s / 60), 'h', s % 60, 'm')
  s = Math.floor(s / 60)
  return pair(Math.floor(s / 24), 'd', s % 24, 'h')
}

// sentence begins with a capital and ends with a stop.
export const sentence = (s) => (s ? s[0].toUpperCase() + s.slice(1) + (s.endsWith('.') ? '' : '.') : '')

export const shown = (target) => target?.replace(/^([^:]*)\/32$/, '$1').replace(/\/128$/, '') ?? ''

export function place(n) {
  if (!n) return ''
  return [n.asn ? `AS${n.asn} ${n.org}`.trim() : '', n.country].filter(Boolean).join(', ')
}

const stateOrder = ['established', 'syn_recv', 'syn_sent', 'listen', 'time_wait', 'close_wait', 'fin_wait1', 'fin_wait2', 'last_ack', 'closing', 'close', 'unknown']
export const states = (m) =>
  stateOrder.filter((s) => m?.[s]).map((s) => `${s.replaceAll('_', '-')} ${thousands(m[s])}`).join(' · ')

export const classes = (m, total) =>
  ['1xx', '2xx', '3xx', '4xx', '5xx'].filter((c) => m?.[c]).map((c) => `${c} ${percent(m[c], total)}`).join(' · ')
