// A service that keeps what each request brought: 100 MiB of Buffers in one function, among others that
// drop theirs. It prints "leaked PID", and ends with its standard input.
import process from "node:process";

const requests = [];

function rememberRequest(bytes) {
  requests.push(Buffer.alloc(bytes, 1));
}

function answer(bytes) {
  return Buffer.concat([Buffer.alloc(bytes, 2), Buffer.from("done")]).length;
}

let sum = 0;
for (let request = 0; request < 1600; request++) {
  rememberRequest(65536);
  sum += answer(20_000);
}
console.log("leaked", process.pid, sum);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
