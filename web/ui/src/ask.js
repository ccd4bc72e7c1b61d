// Requests to the server that the page came from.

async function answer(response) {
  const type = response.headers.get('Content-Type') ?? ''
  const body = type.startsWith('application/json') ? await response.json() : {}
  if (!response.ok) throw new Error(body?.error ?? `the server answered ${response.status}`)
  return body
}

export const ask = async (path, signal) => answer(await fetch(path, { signal }))

export const change = async (name, body) =>
  answer(await fetch(`/api/${name}`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Connwarden': 'page' }, body: JSON.stringify(body) }))
