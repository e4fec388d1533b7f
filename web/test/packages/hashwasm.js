// Hashes that are WebAssembly, as bytes in the source: argon2id has 1 MiB of memory.
import { argon2id, argon2Verify, sha3, xxhash64 } from "hash-wasm";

export default async () => {
  const hash = await argon2id({ password: "pass", salt: new Uint8Array(16).fill(7), parallelism: 1, iterations: 1, memorySize: 1024, hashLength: 16, outputType: "encoded" });
  return { hash, ok: await argon2Verify({ password: "pass", hash }), bad: await argon2Verify({ password: "word", hash }), sha3: (await sha3("hello")).slice(0, 16), xx: await xxhash64("hello") };
};
