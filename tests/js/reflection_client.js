// A client of grpc-js that knows nothing of our protos: it asks the server for them, then scores a company, reads a page and a stream of the
// published list. Usage: reflection_client.js HOST:PORT SIREN. Prints one JSON object.
"use strict";

const grpc = require("@grpc/grpc-js");
const { GrpcReflection } = require("grpc-js-reflection-client");

async function main() {
  const [address, siren] = process.argv.slice(2);
  const reflection = new GrpcReflection(address, grpc.ChannelCredentials.createInsecure());
  const stub = async (name) => {
    const service = (await reflection.getDescriptorBySymbol(name)).getProtobufJsRoot().lookupService(name);
    const methods = service.resolveAll().methodsArray.map((method) => {
      const [asked, answered] = [method.resolvedRequestType, method.resolvedResponseType];
      const plain = (message) => answered.toObject(message, { longs: Number, enums: String, defaults: true, arrays: true });
      const definition = {
        path: `/${name}/${method.name}`,
        requestStream: Boolean(method.requestStream),
        responseStream: Boolean(method.responseStream),
        requestSerialize: (request) => asked.encode(asked.fromObject(request)).finish(),
        requestDeserialize: (bytes) => asked.decode(bytes),
        responseSerialize: (message) => answered.encode(message).finish(),
        responseDeserialize: (bytes) => plain(answered.decode(bytes)),
      };
      return [method.name, definition];
    });
    const Client = grpc.makeGenericClientConstructor(Object.fromEntries(methods), name);
    return new Client(address, grpc.credentials.createInsecure());
  };
  const unary = (client, method, request) =>
    new Promise((resolve, reject) => client[method](request, (error, reply) => (error ? reject(error) : resolve(reply))));

  const scoring = await stub("signauxfaibles.scoring.v1.ScoringService");
  const lists = await stub("signauxfaibles.lists.v1.ListService");
  const score = await unary(scoring, "ScoreCompany", { siren });
  const page = await unary(lists, "GetRankedList", { id: "latest", pageSize: 5 });
  let streamed = 0;
  for await (const batch of lists.StreamRankedList({ id: "latest" })) streamed += batch.entries.length;
  const unknown = await unary(scoring, "ScoreCompany", { siren: "12" }).then(
    () => "no error",
    (error) => grpc.status[error.code],
  );
  console.log(JSON.stringify({ score: score.score, first: page.entries[0].siren, total: page.totalSize, streamed, unknown }));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
