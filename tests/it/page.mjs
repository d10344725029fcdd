// The status page in Chromium: node page.mjs MODULES CONFIGURATION, where CONFIGURATION is JSON:
// pages: the URLs of the page, direct and through a proxy
// api: the URL of the daemon
// target: the URL of the server of the target "web", whose paths /down and /up change what it answers
// names: the names of all targets
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(process.argv[2] + '/');
const puppeteer = require('puppeteer-core');
const axe = require('axe-core');
const { pages, api, target, names, screenshots } = JSON.parse(process.argv[3]);

const PATIENCE = 20_000;
const LATEST_MS = 2_000;
const WAIT = { timeout: PATIENCE, polling: 20 };

const flags = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--no-proxy-server',
    '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-default-apps',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'];
const browser = await puppeteer.launch({ executablePath: process.argv[4] || '/usr/bin/chromium', args: flags });

// Everything that the browser reports as wrong.
async function open(url, prepare = () => {}) {
    const page = await browser.newPage(), errors = [];
    page.on('console', message => message.type() == 'error' && errors.push(message.text()));
    page.on('pageerror', error => errors.push(String(error)));
    await page.setViewport({ width: 1280, height: 800 });
    await prepare(page);
    const response = await page.goto(url, { waitUntil: 'load' });
    assert.equal(response.status(), 200);
    return { page, errors, response };
}

// The row of a target: its index among all, which changes with the states.
const row = name => [...document.querySelectorAll('details')].find(d => d.querySelector('bdi').textContent == name);
const inRow = (page, read, name) =>
    page.evaluate(`(${read})((${row})(${JSON.stringify(name)}))`);
const waitFor = (page, condition, what) =>
    page.waitForFunction(condition, WAIT).catch(error => { throw new Error(`${what}: ${error}`) });

const count = async () => {
    const text = await (await fetch(api + 'metrics')).text();
    return Number(/pingstate_connections\{kind="stream"\} (\d+)/.exec(text)[1]);
};
const reach = async state => {
    await fetch(target + (state == 'down' ? 'down' : 'up'));
    const response = await fetch(`${api}wait?target=web&state=${state}&timeout=20`);
    assert.equal(response.status, 200);
};

async function live(url) {
    await reach('up');
    const { page, errors } = await open(url);
    await waitFor(page, `document.querySelector('#live').textContent == 'live'`, 'live');
    await page.evaluate('window.isLoadedOnce = 1');
    for (const name of names) {
        assert(await inRow(page, d => !!d, name), `no row of ${name}`);
    }
    // An update of each name changes the latency.
    await page.evaluate(`document.querySelectorAll('.l').forEach(cell => cell.textContent = 'stale')`);
    await waitFor(page, `![...document.querySelectorAll('.l')].some(cell => cell.textContent == 'stale')`, 'latencies');
    assert.match(await inRow(page, d => d.querySelector('.l').textContent, 'web'), /^\d+(\.\d+)? ms$/);
    // Two rows are opened with the keyboard and the mouse.
    await page.evaluate(`(${row})('web').querySelector('summary').focus()`);
    await page.keyboard.press('Enter');
    const last = names[names.length - 1];
    await (await page.evaluateHandle(`(${row})(${JSON.stringify(last)}).querySelector('summary')`)).click();
    await page.evaluate(`(${row})('web').querySelector('summary').focus()`);
    for (const state of ['down', 'up']) {
        await reach(state);
        const start = performance.now();
        await waitFor(page, `(${row})('web').className == '${state}'`, state);
        const elapsed = performance.now() - start;
        console.log(`${state} is shown after ${Math.round(elapsed)} ms`);
        assert(elapsed < LATEST_MS, `${state} is shown after ${elapsed} ms`);
        const title = await page.title(), headline = await page.$eval('h1', h => h.textContent);
        assert.equal(title, headline + ' – pingstate');
        assert(title.startsWith(state == 'down' ? '▼ 2 of 6 down' : '▼ 1 of 6 down'), title);
        assert.equal(await page.$eval('h1 > [role=status]', s => s.textContent), headline);
        assert(await inRow(page, d => d.open, 'web') && await inRow(page, d => d.open, last), 'a row was closed');
        assert.equal(await page.$$eval('details[open]', rows => rows.length), 2);
        assert(await page.evaluate(`document.activeElement == (${row})('web').firstChild`), 'the focus is lost');
    }
    assert.equal(await page.evaluate('window.isLoadedOnce'), 1, 'the page was reloaded');
    // The stream is closed while the page is not visible.
    const hide = hidden => page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'))`);
    await hide(true);
    for (const start = performance.now(); await count() > 0;) {
        assert(performance.now() - start < PATIENCE, 'the stream stays open');
    }
    await reach('down');
    await hide(false);
    await waitFor(page, `(${row})('web').className == 'down'`, 'down after it is visible again');
    await reach('up');
    assert.deepEqual(errors, []);
    await page.close();
}

async function withoutScript(url) {
    const { page, errors } = await open(url, page => page.setJavaScriptEnabled(false));
    assert.deepEqual((await page.$$eval('bdi', names => names.map(n => n.textContent))).sort(), [...names].sort());
    await page.click('summary');
    assert.equal(await page.$$eval('details[open]', rows => rows.length), 1);
    assert(await page.$eval('details[open] dl', facts => facts.checkVisibility() && facts.textContent.includes('last check')));
    assert.match(await page.$eval('#live', p => p.textContent), /reloads/);
    assert.deepEqual(errors, []);
    await page.close();
}

// The policy forbids a script that differs in one byte.
async function changedScript(url) {
    const { page, errors } = await open(url, async page => {
        await page.setRequestInterception(true);
        page.on('request', async request => {
            if (!request.isNavigationRequest()) return request.continue();
            const response = await fetch(url, { headers: { accept: 'text/html' } });
            const body = (await response.text()).replace('<script>const', '<script> const');
            request.respond({ status: 200, headers: Object.fromEntries(response.headers), body });
        });
    });
    assert(errors.some(error => /Content Security Policy/.test(error)), `no violation: ${errors}`);
    assert.match(await page.$eval('#live', p => p.textContent), /reloads/);
    await page.close();
}

async function look(url) {
    for (const scheme of ['light', 'dark']) {
        const { page } = await open(url, page => page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]));
        await page.$$eval('details', rows => rows.forEach(row => row.open = true));
        await page.evaluate(axe.source);
        const { violations } = await page.evaluate('axe.run()');
        const found = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
        assert.deepEqual(found.map(v => [v.id, v.help, v.nodes.map(n => n.html)]), [], scheme);
        for (const width of [1280, 390]) {
            await page.setViewport({ width, height: 800 });
            const wide = await page.evaluate('document.documentElement.scrollWidth');
            assert(wide <= width, `${wide} pixels at ${width}`);
        }
        await page.close();
    }
}

try {
    for (const url of pages) {
        await live(url);
        await withoutScript(url);
        await look(url);
    }
    await changedScript(pages[0]);
    console.log('passed');
} finally {
    await browser.close();
}
