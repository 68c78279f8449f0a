// Chromium, headless, driven through the consent of the tests' authorization server. As a program it is a browser for
// Python's webbrowser: BROWSER="node consent.mjs CHROMIUM USER REPORT %s". What the last page shows goes into REPORT.
import { writeFileSync, renameSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_PATH}/`);
const puppeteer = require("puppeteer-core");
const [chromium, user, report, address] = process.argv.slice(2);

const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox"] });
try {
  const [page] = await browser.pages();
  const scripts = [];
  page.on("pageerror", (error) => scripts.push(String(error)));
  await page.goto(address);
  const hinted = await page.$eval('input[name="login"]', (field) => field.value);
  if (hinted !== user) throw new Error(`the page thinks that ${hinted} comes`);
  await page.type('input[name="password"]', "any");
  await Promise.all([page.waitForNavigation(), page.click('button[type="submit"]')]);
  const consent = await page.evaluate(() => document.body.innerText);
  await Promise.all([page.waitForNavigation(), page.click('button[type="submit"]')]);
  const shown = { consent, address: page.url(), text: await page.evaluate(() => document.body.innerText), scripts };
  writeFileSync(`${report}.new`, JSON.stringify(shown));
  renameSync(`${report}.new`, report);
} finally {
  await browser.close();
}
