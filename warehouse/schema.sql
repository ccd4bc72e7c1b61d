-- The tables of connwarden in a ClickHouse. They are made by the first host that sends, if its account may; else run this
-- in the database that the configuration names. Times are in UTC.
--
-- A batch that was sent twice has the same key twice, of which a merge keeps one: ask with FINAL.

-- What each site had in each minute. The site '' stands for logs that name none, and for the machine: "open" is there.
CREATE TABLE IF NOT EXISTS rates (
    host String,
    at DateTime('UTC'),
    site String,
    batch UInt64,
    requests UInt64,
    bytes UInt64,
    status_none UInt64,
    status_1xx UInt64,
    status_2xx UInt64,
    status_3xx UInt64,
    status_4xx UInt64,
    status_5xx UInt64,
    malicious UInt64,
    suspicious UInt64,
    errors UInt64,
    events UInt64,
    open UInt64
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(at) ORDER BY (host, at, site, batch);

-- Each verdict as it was told: of an address, or of a group (kind: net, asn, site, path, agent, user).
CREATE TABLE IF NOT EXISTS verdicts (
    host String,
    at DateTime('UTC'),
    batch UInt64,
    n UInt32,
    kind String,
    subject String,
    verdict String,
    score UInt8,
    country String,
    asn UInt32,
    org String,
    requests UInt64,
    bytes UInt64,
    open UInt64,
    claim String,
    proof String,
    exempt String,
    rules Array(String),
    why String
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(at) ORDER BY (host, at, batch, n);

-- Each block that was made, and each that ended (act: block, unblock). An until that is NULL is until it is lifted.
CREATE TABLE IF NOT EXISTS blocks (
    host String,
    at DateTime('UTC'),
    batch UInt64,
    n UInt32,
    act String,
    target String,
    scope String,
    drivers Array(String),
    until Nullable(DateTime('UTC')),
    by String,
    who String,
    why String
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(at) ORDER BY (host, at, batch, n);
