// Fetches new mail with node-pop3 as a small script would; how it is told what to do stands in script.py.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const env = process.env;
const Pop3Command = createRequire(env.POP3_MODULES + "/")("node-pop3");
const implicit = env.POP3_TLS === "implicit";
const pop3 = new Pop3Command({
  host: env.POP3_HOST,
  port: Number(env.POP3_PORT),
  user: env.POP3_USER,
  password: env.POP3_PASSWORD,
  tls: implicit,
  tlsOptions: implicit ? { ca: readFileSync(env.POP3_CA) } : {},
  timeout: 60000,
});

async function octets(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

// The library hands out the lines as they were sent, without the last line end: the dots are ours to undo.
const unstuffed = (text) => Buffer.from((text + "\r\n").replace(/^\.|(?<=\r\n)\./g, ""), "latin1");

let uidls;
try {
  uidls = await pop3.UIDL();
} catch (error) {
  if (!/^(USER|PASS)/.test(error.command ?? "")) throw error;
  console.error(`login refused: ${error.message}`);
  process.exit(77);
}
const known = new Set(existsSync(env.POP3_MEMORY) ? readFileSync(env.POP3_MEMORY, "utf8").split("\n") : []);
for (const [number, uidl] of uidls) {
  if (known.has(uidl)) continue;
  const [, stream] = await pop3.command("RETR", number);
  writeFileSync(`${env.POP3_OUT}/${number.padStart(6, "0")}`, unstuffed(await octets(stream)));
  if (env.POP3_KEEP !== "1") await pop3.command("DELE", number);
}
await pop3.QUIT();
writeFileSync(env.POP3_MEMORY, uidls.map(([, uidl]) => uidl).join("\n"));
