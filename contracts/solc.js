#!/usr/bin/env node
// forge calls a native `solc`; npm has the compiler as WebAssembly only. This answers the three calls that forge makes.
"use strict";

const fs = require("node:fs");
const solc = require("solc");

const [argument] = process.argv.slice(2);
if (argument === "--version") {
  const version = solc.version().replace(/\.Emscripten\.clang$/, ".Linux.g++");
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else if (process.argv.includes("--standard-json")) {
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8")));
} else {
  process.stderr.write(`solc.js: compile with --standard-json, not with ${process.argv.slice(2).join(" ")}\n`);
  process.exit(2);
}
