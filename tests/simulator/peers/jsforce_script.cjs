// What jsforce sees: run by node, prints one JSON object.
const { createRequire } = require("node:module");
const jsforce = createRequire(`${process.argv[2]}/`)("jsforce");

const CONNECTION = { loginUrl: "https://login.salesforce.com", version: "60.0", httpProxy: process.env.HTTPS_PROXY };
const sorted = (rows, ...keys) => rows.map((row) => keys.map((key) => row[key])).sort();

// jsforce pipes all pages of a query, each with its header, into one stream that the first page ends (its issue 1546)
async function queryInPages() {
  const conn = new jsforce.Connection(CONNECTION);
  await conn.login("sim@example.com", "sim-passsim-token");
  conn.bulk2.pollInterval = 20;
  const uncaught = new Promise((resolve) => process.on("uncaughtException", (error) => resolve(error.code)));
  const read = conn.bulk2.query("SELECT Name FROM Account").then((stream) => stream.toArray());
  const seen = await Promise.race([uncaught, read.catch((error) => error.code)]);
  const headers = Array.isArray(seen) ? seen.filter((row) => row.Name === "Name").length : 0;
  console.log(JSON.stringify(Array.isArray(seen) ? { headers, rows: seen.length } : { error: seen }));
  process.exit(0);
}

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

  // logout, after which the token is dead
  seen.logged_out = [];
  for (const [each, logout] of [[oauth, "logoutByOAuth2"], [conn, "logoutBySoap"]]) {
    const { instanceUrl, accessToken } = each;
    await each[logout]();
    const again = new jsforce.Connection({ ...CONNECTION, instanceUrl, accessToken });
    seen.logged_out.push(await again.query("SELECT Id FROM Account").catch((error) => error.errorCode));
  }
  console.log(JSON.stringify(seen));
}

(process.argv[3] === "pages" ? queryInPages() : main()).catch((error) => { console.error(error); process.exit(1); });
