// Counts an access log in combined format by path with DuckDB, as somebody would who has it at hand:
//
//	npm install @duckdb/node-api && node duckdb.mjs FILE
import { DuckDBInstance } from '@duckdb/node-api'

const file = process.argv[2].replaceAll("'", "''")
const connection = await (await DuckDBInstance.create(':memory:')).connect()
const columns = "{'ip':'VARCHAR','ident':'VARCHAR','user':'VARCHAR','at':'VARCHAR','zone':'VARCHAR','request':'VARCHAR','status':'VARCHAR','size':'VARCHAR','referer':'VARCHAR','agent':'VARCHAR'}"
const answer = await connection.runAndReadAll(`
  SELECT split_part(split_part(request, ' ', 2), '?', 1) AS path, count(*) AS n, sum(TRY_CAST(size AS BIGINT)) AS bytes,
    count(*) FILTER (status LIKE '2%') AS ok, count(*) FILTER (status LIKE '4%') AS refused, count(*) FILTER (status LIKE '5%') AS failed
  FROM read_csv('${file}', columns=${columns}, delim=' ', quote='"', escape='\\', header=false, ignore_errors=true, strict_mode=false)
  GROUP BY path ORDER BY n DESC LIMIT 10`)
for (const row of answer.getRows()) console.log(row.map(String).join(' '))
