#!/usr/bin/env node
/**
 * The command `offheap-build`: builds the libraries into this user's cache, where offheap finds them.
 *
 * @module
 */
import process from "node:process";
import { readEnvironment } from "../../lib/environment.ts";
import { BuildError } from "../../lib/errors.ts";
import {
  cachedBuildsDirectory,
  cacheDirectory,
  cacheVariables,
} from "../../lib/library/directories.ts";
import { runBuildCommand } from "./command.ts";

function requireCache(): string {
  const cache = cacheDirectory(readEnvironment(), process.platform);
  if (cache !== null) return cache;
  throw new BuildError(
    "Cannot build into this user's cache: neither " +
      `${cacheVariables(process.platform).join(" nor ")} is set to an absolute path. ` +
      "Name a directory with --out.",
  );
}

await runBuildCommand("offheap-build", () => cachedBuildsDirectory(requireCache()));
