#!/usr/bin/env node
/*
 * The npm compiler (WebAssembly) behind the command line of the native one, so that py-solc-x and others can call it.
 *
 *     solc-npm.js --version
 *     solc-npm.js --standard-json [--base-path DIR] [--include-path DIR]... < input.json > output.json
 *
 * Holds: an import is read from the base path first, then from the include paths in their order, and from nowhere else.
 * Never: follows an import out of those folders; --allow-paths is therefore taken and ignored.
 */
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const compiler = require("solc/soljson.js");

const TAKES_A_VALUE_AND_IS_IGNORED = new Set(["--allow-paths", "--output-dir"]);

function fail(message) {
  process.stderr.write(`solc-npm: ${message}\n`);
  process.exit(1);
}

function readArguments(words) {
  const options = { version: false, standardJson: false, roots: [] };
  const include = [];
  let base = process.cwd();
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === "--version") options.version = true;
    else if (word === "--standard-json") options.standardJson = true;
    else if (word === "--base-path") base = words[++i];
    else if (word === "--include-path") include.push(words[++i]);
    else if (TAKES_A_VALUE_AND_IS_IGNORED.has(word)) i++;
    else if (word !== "-" && word !== "--overwrite") fail(`unknown option ${word}`);
  }
  options.roots = [base, ...include].map((folder) => path.resolve(folder));
  return options;
}

/** The source called `name`, as `{contents}` or `{error}`. */
function readSource(roots, name) {
  for (const root of roots) {
    const file = path.resolve(root, name);
    if (file.startsWith(root + path.sep) && fs.existsSync(file)) {
      return { contents: fs.readFileSync(file, "utf8") };
    }
  }
  return { error: `not found under ${roots.join(", ")}` };
}

/** Copies text to the compiler's heap. A plain string argument would be put on its stack, which ends at about 1 MB. */
function toHeap(text) {
  const bytes = compiler.lengthBytesUTF8(text) + 1;
  const pointer = compiler._solidity_alloc(bytes);
  compiler.stringToUTF8(text, pointer, bytes);
  return pointer;
}

function compile(input, roots) {
  const onRead = compiler.addFunction((_context, kind, data, contents, error) => {
    const wanted = compiler.UTF8ToString(kind);
    const answer =
      wanted === "source"
        ? readSource(roots, compiler.UTF8ToString(data))
        : { error: `${wanted} is not answered here` };
    if (answer.contents !== undefined) compiler.setValue(contents, toHeap(answer.contents), "*");
    else compiler.setValue(error, toHeap(answer.error), "*");
  }, "viiiii");
  const run = compiler.cwrap("solidity_compile", "string", ["number", "number", "number"]);
  return run(toHeap(input), onRead, 0);
}

const options = readArguments(process.argv.slice(2));
if (options.version) {
  const version = compiler.cwrap("solidity_version", "string", [])();
  process.stdout.write(`solc, the solidity compiler (npm)\nVersion: ${version}\n`);
} else if (options.standardJson) {
  const output = compile(fs.readFileSync(0, "utf8"), options.roots);
  process.stdout.write(output + "\n");
} else {
  fail("only --version and --standard-json are spoken here");
}
