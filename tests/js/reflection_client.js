// A client of grpc-js that knows nothing of our protos: it asks the server for them, then scores a company, reads a page and a stream of the
// published list. Usage: reflection_client.js HOST:PORT SIREN. Prints one JSON object.
"use strict";

const grpc = require("@grpc/grpc-js");
const { GrpcReflection } = require("grpc-js-reflection-client");

async function main() {
  const [address, siren] = process.argv.slice(2);
  const reflection = new GrpcReflection(address, grpc.ChannelCredentials.createInsecure());
  const stub = async (name) => {
    const descriptor = await reflection.getDescriptorBySymbol(name);
    const Service = name.split(".").reduce((part, key) => part[key], descriptor.getPackageObject({ keepCase: true, longs: Number, enums: String }));
    return new Service(address, grpc.credentials.createInsecure());
  };
  const unary = (client, method, request) =>
    new Promise((resolve, reject) => client[method](request, (error, reply) => (error ? reject(error) : resolve(reply))));

  const scoring = await stub("signauxfaibles.scoring.v1.ScoringService");
  const lists = await stub("signauxfaibles.lists.v1.ListService");
  const score = await unary(scoring, "ScoreCompany", { siren });
  const page = await unary(lists, "GetRankedList", { id: "latest", page_size: 5 });
  let streamed = 0;
  for await (const batch of lists.StreamRankedList({ id: "latest" })) streamed += batch.entries.length;
  const unknown = await unary(scoring, "ScoreCompany", { siren: "12" }).then(
    () => "no error",
    (error) => grpc.status[error.code],
  );
  console.log(JSON.stringify({ score: score.score, first: page.entries[0].siren, total: page.total_size, streamed, unknown }));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
