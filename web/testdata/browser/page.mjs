// Looks at the page in a real browser. Usage: node page.mjs '{"chromium":…,"url":…,"mode":…}'; prints "ok NAME" or
// "not ok NAME: why" for each thing that it tried.
import axe from 'axe-core'
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const job = JSON.parse(process.argv[2])
const browser = await chromium.launch({ executablePath: job.chromium, args: ['--no-sandbox', '--disable-background-networking'] })
const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
await context.grantPermissions(['clipboard-read', 'clipboard-write']).catch(() => {})
const page = await context.newPage()
const complaints = []
page.on('console', (m) => m.type() === 'error' && complaints.push(m.text()))
page.on('pageerror', (e) => complaints.push(e.message))

async function look(name, steps) {
  try {
    await steps()
    console.log(`ok ${name}`)
  } catch (e) {
    console.log(`not ok ${name}: ${String(e.message ?? e).replaceAll('\n', ' | ')}`)
  }
}
function want(condition, what) {
  if (!condition) throw new Error(what)
}
const go = (path) => page.evaluate((p) => (location.hash = p), path)
// visit opens a view and waits until what the fake desk writes everywhere is in sight.
async function visit(view) {
  await go(`#/${view}`)
  if (view === 'networks') await page.getByRole('button', { name: 'networks' }).click()
  await page.waitForFunction(() => document.querySelector('main').innerText.includes('<img'), null, { timeout: 5000 }).catch(() => {
    throw new Error(`${view} does not show it`)
  })
}
const words = () => page.locator('main').innerText()
const quiet = () => want(complaints.length === 0, complaints.splice(0).join(' | '))

async function accessible(name) {
  await look(`axe ${name}`, async () => {
    await page.evaluate(axe.source)
    const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }))
    const grave = violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
    want(grave.length === 0, grave.map((v) => `${v.id} (${v.nodes.map((n) => `${n.target} ${n.any.map((a) => a.message)}`).join('; ')})`).join(' | '))
  })
}

// elsewhere has a page of another origin, opened beside ours with its cookie, try all that a page can.
async function elsewhere(origin, place) {
  await look('another origin is refused', async () => {
    const other = await context.newPage() // with the cookie of the page
    await other.goto(place)
    const got = await other.evaluate(async (url) => {
      const tried = {}
      const attempt = async (name, f) => (tried[name] = await f().then((x) => String(x), () => 'refused'))
      await attempt('read', async () => (await fetch(`${url}/api/review`, { credentials: 'include' })).status)
      await attempt('change', async () => (await fetch(`${url}/api/block`, { method: 'POST', credentials: 'include', headers: { 'Content-Type': 'application/json', 'X-Connwarden': 'page' }, body: '{"target":"203.0.113.99"}' })).status)
      await attempt('blind', async () => (await fetch(`${url}/api/block`, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"target":"203.0.113.99"}' })).type)
      const loads = (tag, src) => new Promise((yes) => {
        const e = document.createElement(tag)
        e.onload = () => yes('loaded')
        e.onerror = () => yes('refused')
        e.src = src
        document.body.append(e)
      })
      tried.script = await loads('script', `${url}/page.js`)
      tried.image = await loads('img', `${url}/icon.svg`)
      tried.stream = await new Promise((yes) => {
        const s = new EventSource(`${url}/api/events`, { withCredentials: true })
        s.onopen = () => yes('opened')
        s.onerror = () => (s.close(), yes('refused'))
      })
      return tried
    }, origin)
    want(Object.entries(got).every(([name, g]) => g === 'refused' || (name === 'blind' && g === 'opaque')), JSON.stringify(got))
    const state = await (await context.request.get(`${origin}/api/blocks`)).json()
    want(!JSON.stringify(state).includes('203.0.113.99'), 'a block was made from another origin')
    const framed = await other.evaluate((url) => new Promise((yes) => {
      const f = document.createElement('iframe')
      f.onload = () => yes(f.contentDocument === null)
      f.src = url
      document.body.append(f)
    }), origin)
    want(framed, 'the page lets itself be framed')
  })
}

const modes = {
  // A fake desk: 50,000 peers with hostile text in every field.
  async fake() {
    await look('opens without a word about its policy', async () => {
      await page.goto(job.url)
      await page.waitForSelector('.findings')
      want(!page.url().includes('token'), `the token stays in the address: ${page.url()}`)
      quiet()
    })
    await look('hostile text stays text', async () => {
      for (const view of ['overview', 'peers', 'ip/10.0.0.0', 'pages', 'errors', 'networks', 'blocks', 'history', 'rules']) {
        await visit(view)
        want((await page.evaluate(() => document.querySelectorAll('main img, main script').length)) === 0, `${view} made markup of it`)
      }
      want((await page.evaluate(() => window.hacked)) === undefined, 'a script ran')
      quiet()
    })
    await look('fifty thousand peers scroll and filter', async () => {
      await go('#/peers')
      await page.getByText('50,000 of 50,000 peers').waitFor()
      want((await page.locator('.grid [role=row]').count()) < 150, 'it draws all rows')
      await page.locator('.grid').evaluate((e) => (e.scrollTop = e.scrollHeight))
      await page.getByText('10.0.195.79').waitFor()
      await page.keyboard.press('/')
      await page.keyboard.type('10.0.3.')
      await page.getByText('256 of 50,000 peers').waitFor()
      await page.locator('#filter').fill('nobody at all')
      await page.getByText('None of 50,000 peers fits').waitFor()
      await page.locator('#filter').fill('')
      await page.getByRole('button', { name: /^malicious/ }).click()
      await page.getByText('3 of 50,000 peers').waitFor()
      await page.getByRole('button', { name: 'Sent' }).click()
      await page.locator('.grid .space [role=row]').first().getByText('10.0.0.2').waitFor() // by bytes
      quiet()
    })
    await look('the keyboard leads into a dossier and back', async () => {
      await page.locator('.grid').focus()
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Enter')
      await page.getByRole('button', { name: 'Never block…' }).waitFor()
      want(page.url().endsWith('#/ip/10.0.0.1'), page.url())
      want((await words()).includes('access.log'), 'no lines of evidence')
      await page.keyboard.press('?')
      await page.getByRole('heading', { name: 'Keys' }).waitFor()
      await page.keyboard.press('Escape')
      await page.keyboard.press('Backspace')
      await page.waitForFunction(() => location.hash === '#/peers')
      quiet()
    })
    await look('a block is shown before it is made, and undone', async () => {
      await go('#/ip/10.0.0.0')
      await page.getByRole('button', { name: 'Block…', exact: true }).click()
      await page.getByText('wall: add 10.0.0.0 for 1h').waitFor()
      await page.getByLabel('1 day').check()
      await page.getByText('wall: add 10.0.0.0 for 1d').waitFor()
      await page.getByLabel('Why').fill("it's noise")
      await page.getByText(`connwarden block 10.0.0.0 --for 1d --why 'it'\\''s noise'`).waitFor()
      await page.getByRole('button', { name: 'Block for 1 day' }).click()
      await page.getByText('Blocked: 10.0.0.0').waitFor()
      await page.getByText('10.0.0.0 is listed').waitFor()
      await go('#/blocks')
      await page.getByRole('button', { name: 'Unblock…' }).waitFor()
      await page.getByRole('button', { name: 'Undo', exact: true }).click()
      await page.getByText('Taken back: 10.0.0.0').waitFor()
      await page.getByText('Nobody is blocked.').waitFor()
      quiet()
    })
    await look('the history is looked at by time', async () => {
      await go('#/history')
      await page.getByText('A click on a bar looks closer.').waitFor()
      await page.locator('.chart svg').first().click({ position: { x: 40, y: 40 } })
      await page.getByText('A click on a bar looks closer.').waitFor({ state: 'detached' })
      await page.getByRole('button', { name: 'Earlier' }).click()
      await page.getByRole('button', { name: 'Now' }).click()
      await page.getByRole('button', { name: '1 hour' }).click()
      await page.getByRole('link', { name: '203.0.113.66' }).first().waitFor()
      await page.getByText('blocked', { exact: true }).waitFor()
      quiet()
    })
    await look('a block that wants to be confirmed', async () => {
      await go('#/ip/10.0.0.1')
      await page.getByRole('button', { name: 'Block…', exact: true }).click()
      await page.getByLabel('Undo by itself unless').check()
      await page.getByText('connwarden block 10.0.0.1 --for 1h --confirm-within 2m').waitFor()
      await page.getByRole('button', { name: 'Block for 1 hour' }).click()
      await page.getByRole('button', { name: /^Keep it/ }).click()
      await page.getByText('Kept: 10.0.0.1').waitFor()
      await go('#/blocks')
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Undo the last change…' }).click()
      await page.getByRole('button', { name: 'Undo the last change', exact: true }).click()
      await page.getByText('Nobody is blocked.').waitFor()
      quiet()
    })
    await look('a block of its /64 marks an IPv6 address, which is shown whole', async () => {
      const addr = '2001:db8:1111:2222:3333:4444:5555:6666'
      await go(`#/ip/${addr}`)
      await page.getByRole('button', { name: 'Block…', exact: true }).click()
      await page.getByText(`wall: add ${addr} for 1h`).waitFor()
      await page.getByRole('button', { name: 'Block for 1 hour' }).click()
      await page.getByText('Blocked: 2001:db8:1111:2222::/64').waitFor()
      await go('#/peers')
      const cell = page.getByRole('gridcell', { name: addr })
      await cell.getByText('blocked', { exact: true }).waitFor()
      want((await page.locator('.grid .c0 .tag').count()) === 1, 'others are marked, too')
      want(await cell.evaluate((e) => e.scrollWidth <= e.clientWidth), 'it is cut')
      await page.getByRole('button', { name: 'Undo', exact: true }).click()
      await page.getByText('Taken back').waitFor()
      quiet()
    })
    await look('a refusal tells why and cannot be pressed', async () => {
      await go('#/ip/192.0.2.250')
      await page.getByRole('button', { name: 'Block…', exact: true }).click()
      await page.getByText('Nothing. it is this machine').waitFor()
      want(await page.getByRole('button', { name: 'Block for 1 hour' }).isDisabled(), 'it can be pressed')
      await page.keyboard.press('Escape')
      quiet()
    })
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme })
      for (const view of ['overview', 'peers', 'ip/10.0.0.0', 'pages', 'errors', 'networks', 'blocks', 'history', 'rules']) {
        await visit(view)
        await accessible(`${view}, ${scheme}`)
      }
      await go('#/ip/10.0.0.0')
      await page.getByRole('button', { name: 'Block…', exact: true }).click()
      await page.getByText('wall: add 10.0.0.0').waitFor()
      await accessible(`the dialog, ${scheme}`)
      await page.keyboard.press('Escape')
    }
    await look('fits a phone', async () => {
      await page.setViewportSize({ width: 390, height: 844 })
      for (const view of ['overview', 'peers', 'ip/10.0.0.0', 'pages', 'errors', 'networks', 'blocks', 'rules']) {
        if (view === 'peers') {
          await go('#/peers').then(() => page.waitForSelector('.space .row')) // its columns with texts are hidden there
          want(await page.locator('.grid .c0').evaluateAll((list) => list.every((e) => e.scrollWidth <= e.clientWidth)), 'an address is cut')
        }
        else await visit(view)
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        if (view === 'overview') want(await page.locator('main .rows code').evaluateAll((list) => list.every((e) => e.clientHeight < 60)), 'a long path takes the screen')
        const over = await page.evaluate(() => [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > 391 && !e.closest('.wide-table, nav')).map((e) => `${e.tagName}.${e.className}`))
        want(wide <= 390, `${view} is ${wide} wide: ${over}`)
      }
    })
    await elsewhere(job.origin, job.other)
  },

  // A fleet of a thousand hosts, the first of which is hostile.
  async fleet() {
    const harmless = async () => {
      want((await page.evaluate(() => document.querySelectorAll('main img, main script').length)) === 0, 'it made markup of it')
      want((await page.evaluate(() => window.hacked)) === undefined, 'it ran it')
      want(!(await words()).includes('49'.repeat(3)), 'it computed it')
    }
    const hosts = page.locator('table.hosts tbody tr')
    await look('shows nothing of a fleet where there is none', async () => {
      await page.goto(job.alone)
      await page.waitForSelector('.findings')
      want((await page.locator('nav a[href="#/fleet"]').count()) === 0, 'an empty view is offered')
      quiet()
    })
    await look('shows the hosts, the worst first', async () => {
      await page.goto(job.url)
      await page.locator('nav a[href="#/fleet"]').click()
      await page.getByText('hosts need you').waitFor()
      await hosts.first().waitFor()
      want((await hosts.first().innerText()).includes('silent'), await hosts.first().innerText())
      want((await hosts.count()) === 200, `${await hosts.count()} rows`)
      await page.getByRole('button', { name: 'All 1,002 hosts' }).click()
      want((await hosts.count()) === 1002, `${await hosts.count()} rows`)
      want((await words()).includes('<img src=x'), 'what is hostile is not shown as text')
      await page.getByText('and 2 more').waitFor() // an attacker of five hosts is one line
      await page.getByText('1,234 more are not listed').waitFor()
      await harmless()
      quiet()
    })
    await look('sorts and filters them', async () => {
      await page.getByRole('button', { name: 'Req/min' }).click()
      const figures = async () => (await hosts.locator('td:nth-child(5)').allInnerTexts()).slice(0, 5).map((t) => Number(t.replaceAll(',', '')))
      const [most, next] = await figures()
      want(most >= next && most > 4900, `${most}, ${next}`)
      await page.locator('#filter').fill('web9.example')
      await page.waitForFunction(() => document.querySelectorAll('table.hosts tbody tr').length === 1)
      await page.locator('#filter').fill('')
      await page.getByRole('group', { name: 'Health' }).getByRole('button', { name: 'warning' }).click()
      await page.waitForFunction(() => document.querySelectorAll('table.hosts tbody tr').length === 200)
      await page.getByRole('group', { name: 'Health' }).getByRole('button', { name: 'warning' }).click()
      quiet()
    })
    await look("asks a host for its review", async () => {
      await go('#/fleet/web2.example.net')
      await page.getByText('This is what web2.example.net said of itself').waitFor()
      const said = await words()
      for (const part of ['Guesses passwords.', 'group web', '12 held for others', 'ACCUSED']) want(said.includes(part), `no ${part} in ${said}`)
      want(!said.includes('connwarden block'), 'it has us type something')
      want((await page.locator('main').getByRole('button', { name: /Block/ }).count()) === 0, 'it has us press something')
      await harmless()
      await page.getByRole('button', { name: 'Ask again' }).click()
      await page.getByText('This is what web2.example.net said of itself').waitFor()
      quiet()
    })
    await look('a host that says next to nothing', async () => {
      await go('#/fleet/bare')
      await page.getByText('This is what bare said of itself').waitFor()
      await page.getByRole('link', { name: '10.0.0.9' }).waitFor()
      quiet()
    })
    await look('a host that does not answer', async () => {
      await go('#/fleet/silent')
      await page.getByText('It does not answer').waitFor()
      await harmless()
      complaints.splice(0) // the browser notes the refusal
    })
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme })
      for (const view of ['fleet', 'fleet/web2.example.net']) {
        await go(`#/${view}`)
        await page.getByText(view === 'fleet' ? 'Blocked by the fleet' : 'said of itself').waitFor()
        await accessible(`${view}, ${scheme}`)
      }
    }
    await look('fits a phone', async () => {
      await page.setViewportSize({ width: 390, height: 844 })
      for (const view of ['fleet', 'fleet/web2.example.net']) {
        await go(`#/${view}`)
        await page.getByText(view === 'fleet' ? 'Blocked by the fleet' : 'said of itself').waitFor()
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        const over = await page.evaluate(() => [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > 391 && !e.closest('.wide-table, nav')).map((e) => `${e.tagName}.${e.className}`))
        want(wide <= 390, `${view} is ${wide} wide: ${over}`)
      }
    })
  },

  // The real page of one host of a real fleet, while another is attacked.
  async hosts() {
    const row = (host) => page.locator('table.hosts tbody tr').filter({ hasText: host })
    await look('shows the hosts of the fleet', async () => {
      await page.goto(job.url)
      await page.locator('nav a[href="#/fleet"]').click()
      for (const host of ['web1.example.net', 'web2.example.net']) await row(host).waitFor()
      await page.getByText('Nobody is.').waitFor()
      quiet()
    })
    await look('shows whom another host blocks', async () => {
      appendFileSync(job.log, job.more)
      const attacker = page.locator('section[aria-label="Blocked by the fleet"] tr').filter({ hasText: job.attacker })
      await attacker.waitFor()
      want((await attacker.innerText()).includes('web2.example.net'), await attacker.innerText())
      quiet()
    })
    await look('asks that host for its review', async () => {
      await row('web2.example.net').getByRole('link').click()
      await page.getByText('This is what web2.example.net said of itself').waitFor()
      await page.locator(`.findings .title:has-text("${job.attacker}")`).waitFor()
      await page.locator('section[aria-label=Accused]').getByText(job.attacker).waitFor()
      quiet()
    })
    await look('says that its daemon was stopped', async () => {
      process.kill(job.daemon, 'SIGTERM')
      await page.getByRole('link', { name: 'All hosts' }).click()
      await row('web2.example.net').filter({ hasText: 'stopped' }).waitFor()
      await row('web2.example.net').getByRole('link').click()
      await page.getByText('does not answer').waitFor()
      complaints.splice(0) // the browser notes the refusal
    })
  },

  // The password of a page that is served elsewhere.
  async door() {
    await look('the password opens the page', async () => {
      await page.goto(job.url)
      await page.getByLabel('Password').fill('wrong')
      await page.getByRole('button', { name: 'Open' }).click()
      await page.getByText('That is not the password.').waitFor()
      await accessible('the door')
      await page.getByLabel('Password').fill(job.password)
      await page.getByRole('button', { name: 'Open' }).click()
      await page.waitForSelector('.findings')
    })
  },

  // The real page beside a real daemon.
  async follow() {
    await look('follows the daemon', async () => {
      await page.goto(job.url)
      await page.getByText('follows the daemon').waitFor()
      await page.getByText('Nothing needs you.').waitFor()
      await page.getByText('that the daemon follows').waitFor()
      quiet()
    })
    await look('shows within seconds what the daemon finds', async () => {
      appendFileSync(job.log, job.more)
      await page.locator(`.findings .title:has-text("${job.attacker}")`).waitFor({ timeout: 20000 })
      await page.locator('.chart rect').first().waitFor({ state: 'attached' })
      quiet()
    })
    await look('goes on alone when the daemon ends', async () => {
      process.kill(job.daemon, 'SIGTERM')
      await page.getByText('follows the daemon').waitFor({ state: 'detached', timeout: 30000 })
      quiet()
    })
    await look('shows what the daemon wrote down', async () => {
      await go('#/history')
      await page.getByRole('link', { name: job.attacker }).first().waitFor()
      quiet()
    })
  },

  // The real page on a machine of the range, beside a daemon and under attack.
  async range() {
    const answers = createInterface({ input: process.stdin })
    const answer = answers[Symbol.asyncIterator]()
    // please has whoever started us do something in the world, and waits until it is done.
    const please = async (what) => {
      console.log(`please ${what}`)
      const { value } = await answer.next()
      want(value === 'done', value)
    }
    const origin = new URL(job.url).origin
    const title = page.locator(`.findings .title:has-text("${job.attacker}")`)
    const holds = async (where, ...texts) => {
      const said = await words()
      for (const text of texts) want(said.includes(text), `${where} does not show ${text}: ${said}`)
      want((await page.evaluate(() => document.querySelectorAll('main img, main script, main svg[onload]').length)) === 0, `${where} made markup of it`)
      want((await page.evaluate(() => window.hacked)) === undefined, `${where} ran it`)
    }
    let loads = 0
    page.on('load', () => loads++)
    page.on('dialog', (d) => (complaints.push(`a dialog: ${d.message()}`), d.dismiss()))
    await look('is calm before the attack', async () => {
      await please('visit')
      await page.goto(job.url)
      await page.getByText('follows the daemon').waitFor()
      await go('#/peers')
      await page.getByRole('link', { name: job.customer, exact: true }).waitFor()
      await go('#/')
      await page.waitForSelector('.findings', { state: 'attached' })
      want((await page.locator('.findings .word').count()) === 0, `somebody is accused: ${await words()}`) // the machine itself may be short of something
      loads = 0
      quiet()
    })
    await look('shows the attacker while it attacks', async () => {
      await please('attack')
      await title.waitFor()
      want((await title.innerText()).includes('MALICIOUS'), await title.innerText())
      want((await page.locator('.findings .word').count()) === 1, `others are accused: ${await words()}`)
      want(loads === 0, 'it was loaded again')
      await holds('overview')
      quiet()
    })
    await look('shows the lines that accuse it, as text', async () => {
      await page.getByRole('link', { name: 'Everything known of it' }).click()
      await page.locator('.evidence pre').first().waitFor()
      await page.getByText(job.path).first().waitFor() // what it asked for is read from the logs
      await holds('its dossier', 'malicious', job.path, job.agent, job.user, '<svg/onload')
      await go('#/pages')
      for (const [by, text] of [['path', job.path], ['agent', job.agent], ['referer', '<svg/onload'], ['user', job.user]]) {
        await page.getByLabel('By').selectOption(by)
        await page.locator('main tbody').getByText(text).first().waitFor()
        await holds(`pages by ${by}`, text)
      }
      await go('#/peers')
      await page.getByRole('link', { name: job.attacker, exact: true }).waitFor()
      await holds('peers')
      quiet()
    })
    await look('says exactly what a block would do, and does nothing yet', async () => {
      await go('#/')
      await page.getByRole('button', { name: `Block ${job.attacker}…` }).click()
      const plan = page.locator('dialog .plan')
      await plan.locator('li code').first().waitFor()
      const said = await plan.innerText()
      for (const text of ['nft: add ', job.attacker, `connwarden block ${job.attacker} --for 1h`, 'Undo takes it back']) want(said.includes(text), `no "${text}" in: ${said}`)
      await please('is free')
    })
    await look('blocks it', async () => {
      await page.getByRole('button', { name: 'Block for 1 hour' }).click()
      await page.getByText(`Blocked: ${job.attacker}`).waitFor()
      await please('is blocked')
      await page.locator('.findings .title', { hasText: job.attacker }).filter({ hasText: 'blocked' }).waitFor() // by a mark, and after the next review in words
      await go('#/blocks')
      await page.getByRole('cell', { name: job.attacker }).waitFor()
      await page.getByRole('button', { name: 'Unblock…' }).waitFor()
      quiet()
    })
    await look('takes it back', async () => {
      await page.getByRole('button', { name: 'Undo', exact: true }).click()
      await page.getByText(`Taken back: ${job.attacker}`).waitFor()
      await page.getByText('Nobody is blocked.').waitFor()
      await please('is free')
      want(loads === 0, 'it was loaded again')
      quiet()
    })
    const other = createServer((_, w) => w.setHeader('Content-Type', 'text/html').end('<!doctype html><title>other</title><body>'))
    await new Promise((yes) => other.listen(0, '127.0.0.1', yes))
    await elsewhere(origin, `http://127.0.0.1:${other.address().port}/`)
    await look('nothing was changed from elsewhere', () => please('is free'))
    other.closeAllConnections()
    other.close()
    answers.close()
  },

  // The real program over logs that grow.
  async real() {
    await look('refuses who has no token', async () => {
      const answer = await context.request.get(job.origin)
      want(answer.status() === 401, String(answer.status()))
    })
    await look('tells the attack', async () => {
      await page.goto(job.url)
      await page.getByText('things need you').waitFor()
      want((await words()).includes('Guesses passwords through XML-RPC'), await words())
      await page.locator('.chart rect.malicious').first().waitFor({ state: 'attached' })
      quiet()
    })
    await look('what comes while it is open is shown', async () => {
      appendFileSync(job.log, job.more)
      await page.getByText(job.attacker).first().waitFor({ timeout: 20000 })
      await page.locator(`.findings .title:has-text("${job.attacker}")`).waitFor({ timeout: 20000 })
      quiet()
    })
    await look('freezing holds it still', async () => {
      await page.keyboard.press('p')
      await page.getByText('Frozen at').waitFor()
      await page.keyboard.press('p')
    })
    await look('another span is another review', async () => {
      await page.getByLabel('Looks back').selectOption('15m')
      await page.waitForFunction(() => document.querySelector('.chart .axis span')?.textContent.startsWith('13:4'))
      await page.getByLabel('Looks back').selectOption('')
      await page.waitForFunction(() => document.querySelector('.chart .axis span')?.textContent.startsWith('13:03'))
      quiet()
    })
    await look('a finding leads to the dossier', async () => {
      await page.locator('.findings a.button').first().click()
      await page.getByRole('heading', { name: 'Evidence' }).waitFor()
      want((await words()).includes('POST /xmlrpc.php'), 'no lines')
      quiet()
    })
    await look('blocks through the guard and takes it back', async () => {
      await page.getByRole('button', { name: 'Block…', exact: true }).click()
      await page.locator('.plan code').first().waitFor()
      await page.getByRole('button', { name: 'Block for 1 hour' }).click()
      await page.getByText('Blocked: 13.14.15.16').waitFor()
      await go('#/blocks')
      await page.getByRole('button', { name: 'Unblock…' }).waitFor()
      await page.keyboard.press('u')
      await page.getByText('Taken back: 13.14.15.16').waitFor()
      await go('#/ip/127.0.0.1')
      await page.getByRole('button', { name: 'Block…', exact: true }).click()
      await page.getByText('Nothing. it is where you are looking from').waitFor()
      await page.keyboard.press('Escape')
      quiet()
    })
    await look('pages are filtered as on the command line', async () => {
      await go('#/pages')
      await page.locator('#filter').fill('status=403')
      await page.getByRole('button', { name: 'Filter' }).click()
      await page.waitForFunction(() => document.querySelectorAll('main tbody tr').length === 1)
      await page.locator('#filter').fill('nonsense ~~')
      await page.getByRole('button', { name: 'Filter' }).click()
      await page.getByRole('alert').waitFor()
      complaints.splice(0) // the browser notes the refusal
    })
    await look('says when the program is gone', async () => {
      process.kill(job.pid, 'SIGTERM')
      await page.getByText('connwarden web does not answer').waitFor()
      complaints.splice(0)
    })
  },

  // The report as a file.
  async report() {
    await look('the report opens, sorts and prints', async () => {
      await page.goto(job.url)
      if (job.screens) await page.screenshot({ path: `${job.screens}/report-light.png`, fullPage: true, clip: { x: 0, y: 0, width: 1440, height: 1800 } })
      await page.locator('section[aria-label=Peers]').getByRole('button', { name: 'Requests' }).click()
      const first = async () => Number((await page.locator('section[aria-label=Peers] tbody tr:first-child td:nth-child(3)').innerText()).replaceAll(',', ''))
      const most = await first()
      await page.locator('section[aria-label=Peers]').getByRole('button', { name: 'Requests' }).click()
      want(most > (await first()), 'not sorted')
      want((await page.pdf({ format: 'A4' })).length > 10000, 'an empty PDF')
      quiet()
    })
    await accessible('the report')
    await page.emulateMedia({ colorScheme: 'dark' })
    await accessible('the report, dark')
  },

  // Pictures of a fleet for docs.
  async fleetScreens() {
    for (const [name, width, height, scheme] of [['light', 1440, 900, 'light'], ['dark', 1440, 900, 'dark'], ['phone', 390, 844, 'light']]) {
      const shot = await (await browser.newContext({ viewport: { width, height }, colorScheme: scheme })).newPage()
      await shot.goto(job.url)
      await shot.waitForSelector('nav a[href="#/fleet"]')
      await shot.evaluate(() => (location.hash = '#/fleet'))
      await shot.getByText('Blocked by the fleet').waitFor()
      await shot.screenshot({ path: `${job.screens}/fleet-${name}.png`, fullPage: name !== 'phone' })
    }
    console.log('ok screens')
  },

  // Pictures for docs.
  async screens() {
    for (const [name, width, height, scheme] of [['light', 1440, 900, 'light'], ['dark', 1440, 900, 'dark'], ['phone', 390, 844, 'light']]) {
      const shot = await (await browser.newContext({ viewport: { width, height }, colorScheme: scheme })).newPage()
      await shot.goto(job.url)
      await shot.waitForSelector('.chart rect')
      for (const [view, path, mark] of [['overview', '', '.chart rect'], ['dossier', 'ip/13.14.15.16', '.evidence pre'], ['peers', 'peers', '.space .row'], ['history', 'history', '.chart rect']]) {
        await shot.evaluate((p) => (location.hash = `#/${p}`), path)
        await shot.waitForSelector(mark)
        await shot.waitForSelector(view === 'dossier' ? '.chart rect' : mark)
        await shot.screenshot({ path: `${job.screens}/${view}-${name}.png`, fullPage: view !== 'peers' && name !== 'phone' })
      }
      if (name === 'light') {
        await shot.evaluate(() => (location.hash = '#/ip/13.14.15.16'))
        await shot.getByRole('button', { name: 'Block…', exact: true }).click()
        await shot.locator('.plan code').first().waitFor()
        await shot.screenshot({ path: `${job.screens}/block-light.png` })
      }
    }
    console.log('ok screens')
  },
}

page.setDefaultTimeout(['range', 'hosts', 'fleet'].includes(job.mode) ? 40000 : 10000) // the range is slow where all of it is, and so are several programs, or a thousand rows
await modes[job.mode]()
await browser.close()
