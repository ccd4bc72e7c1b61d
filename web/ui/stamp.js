// Writes from which sources the page was built, so that a test can tell when it is stale.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const names = ['../paper/look.css', 'index.html', 'package-lock.json', 'package.json', 'svelte.config.js', 'vite.config.js']
for (const dir of ['public', 'src']) for (const name of readdirSync(dir)) names.push(`${dir}/${name}`)
const hash = createHash('sha256')
for (const name of names.sort()) hash.update(name).update('\0').update(readFileSync(name)).update('\0')
writeFileSync('../static/sources.sha256', hash.digest('hex') + '\n')
