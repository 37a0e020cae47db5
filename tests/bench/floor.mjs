// A peer: Node's bare http. A message is synced to a file before it is answered, as many at a time as have come
// meanwhile; streams are kept and told.
//
//   node tests/bench/floor.mjs PORT FILE
import { open } from "node:fs/promises"
import { createServer } from "node:http"

const [port, path] = process.argv.slice(2)
const answer = "<hx-partial>" + "x".repeat(700) + "</hx-partial>"
const file = await open(path, "a")
const streams = new Set()
let waiting = []
let busy = false

async function commit() {
  busy = true
  while (waiting.length) {
    const going = waiting
    waiting = []
    await file.appendFile(going.map((each) => each.body).join("\n"))
    await file.datasync()
    for (const each of going) each.response.end(answer)
  }
  busy = false
}

createServer((request, response) => {
  if (request.method === "GET") {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
    response.write("data: {}\n\n")
    streams.add(response)
    response.on("close", () => streams.delete(response))
    return
  }
  let body = ""
  request.on("data", (chunk) => (body += chunk))
  request.on("end", () => {
    response.setHeader("content-type", "text/html")
    response.setHeader("content-length", answer.length)
    if (request.url === "/turn") {
      for (const stream of streams) stream.write("data: {}\n\n")
      response.end(answer)
      return
    }
    waiting.push({ body, response })
    if (!busy) commit()
  })
}).listen(Number(port), "127.0.0.1", 10_000)
