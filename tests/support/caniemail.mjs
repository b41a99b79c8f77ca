// Says which features of a mail's HTML a mail program lacks: caniemail.mjs MODULES FILE... Prints one JSON object for each file.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const found = createRequire(modules + "/").resolve("caniemail");
const { caniemail } = await import(pathToFileURL(found));
for (const file of files) {
  const html = readFileSync(file, "utf8");
  const { issues } = caniemail({ clients: ["gmail.*", "outlook.*", "apple-mail.*", "yahoo.*"], html });
  const missing = {};
  for (const [client, list] of issues.errors) {
    for (const { title } of list) (missing[title] ??= new Set()).add(client);
  }
  const out = Object.fromEntries(Object.entries(missing).map(([title, clients]) => [title, [...clients].sort()]));
  console.log(JSON.stringify({ file, missing: out }));
}
