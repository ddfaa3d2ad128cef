// Parses the files of a collection with Bruno's own parser: node bruno.js FOLDER, which prints them as JSON by path.
const fs = require("fs");
const path = require("path");

const [folder] = process.argv.slice(2);
const { bruToJsonV2, bruToEnvJsonV2 } = require("@usebruno/lang");
const parsed = {};
for (const name of fs.readdirSync(folder, { recursive: true }).filter((each) => each.endsWith(".bru"))) {
  const text = fs.readFileSync(path.join(folder, name), "utf8");
  parsed[name] = name.startsWith("environments/") ? bruToEnvJsonV2(text) : bruToJsonV2(text);
}
console.log(JSON.stringify(parsed));
