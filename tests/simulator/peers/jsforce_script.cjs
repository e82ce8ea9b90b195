// What jsforce sees: run by node, prints one JSON object.
const { createRequire } = require("node:module");
const jsforce = createRequire(`${process.argv[2]}/`)("jsforce");

const CONNECTION = { loginUrl: "https://login.salesforce.com", version: "60.0", httpProxy: process.env.HTTPS_PROXY };
const sorted = (rows, ...keys) => rows.map((row) => keys.map((key) => row[key])).sort();

async function main() {
  const seen = {};
  const conn = new jsforce.Connection(CONNECTION);
  await conn.login("sim@example.com", "sim-passsim-token");
  seen.instance = conn.instanceUrl;
  const oauth = new jsforce.Connection({
    ...CONNECTION,
    oauth2: { ...CONNECTION, clientId: "sim-client", clientSecret: "sim-secret" },
  });
  await oauth.loginByOAuth2("sim@example.com", "sim-passsim-token");
  seen.user = (await oauth.identity()).username;
  seen.versions = (await conn.request("/services/data")).length > 30;
  conn.bulk2.pollInterval = 20;
  conn.bulk2.pollTimeout = 30000;

  // ingest, all at once and step by step
  const records = [0, 1, 2].map((number) => ({ Name: `A${number}`, External_Id__c: `x${number}`, AnnualRevenue: null }));
  const inserted = await conn.bulk2.loadAndWaitForResults({
    object: "Account", operation: "insert", input: [...records, { Name: "", External_Id__c: "x9", AnnualRevenue: null }],
  });
  seen.successful = sorted(inserted.successfulResults, "sf__Created", "Name", "AnnualRevenue");
  seen.failed = sorted(inserted.failedResults, "sf__Id", "sf__Error", "External_Id__c");
  seen.unprocessed = inserted.unprocessedRecords;
  const job = conn.bulk2.createJob({ object: "Account", operation: "upsert", externalIdFieldName: "External_Id__c" });
  await job.open();
  await job.uploadData("External_Id__c,Name\nx0,B0\nx7,B7\n");
  await job.close();
  await job.poll();
  const { numberRecordsProcessed, numberRecordsFailed } = await job.check();
  seen.upsert = [numberRecordsProcessed, numberRecordsFailed];
  seen.upserted = sorted(await job.getSuccessfulResults(), "sf__Created", "Name");
  await job.delete();
  seen.gone = await job.check().catch((error) => error.errorCode);
  const deleted = await conn.bulk2.loadAndWaitForResults({
    object: "Account", operation: "delete", input: inserted.successfulResults.slice(0, 1).map((row) => ({ Id: row.sf__Id })),
  });
  seen.deleted = deleted.successfulResults.length;
  const aborted = conn.bulk2.createJob({ object: "Account", operation: "insert" });
  await aborted.open();
  await aborted.abort();
  seen.aborted = aborted.getInfo().state;
  seen.bad_header = await conn.bulk2
    .loadAndWaitForResults({ object: "Account", operation: "insert", input: "Nope\nx\n" })
    .catch((error) => error.message);

  // query
  const rows = await (await conn.bulk2.query("SELECT Name, AnnualRevenue FROM Account")).toArray();
  seen.query = rows.length;
  seen.query_all = (await (await conn.bulk2.query("SELECT Id FROM Account", { scanAll: true })).toArray()).length;
  seen.refused = await conn.bulk2.query("SELECT Nope FROM Account").catch((error) => error.errorCode);
  seen.rest_query = (await conn.query("SELECT COUNT() FROM Account")).totalSize;
  seen.describe = (await conn.describe("Account")).fields.find((field) => field.name === "AnnualRevenue").type;
  console.log(JSON.stringify(seen));
}

main().catch((error) => { console.error(error); process.exit(1); });
