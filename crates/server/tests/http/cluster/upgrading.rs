//! A rolling upgrade: nodes of this version beside those of a newer one, on one store.

use gateward_engines::Postgres;
use serde_json::json;

use super::Cluster;
use crate::house::PASSWORD;

const DIRECTORY: &str = "GATEWARD_DIRECTORY__STORE";

/// What a newer version does to the tables: it adds, and leaves what older statements rest on.
const STEP: &str =
    "ALTER TABLE kv ADD COLUMN later TEXT; ALTER TABLE person ADD COLUMN later TEXT NOT NULL DEFAULT '';
    ALTER TABLE event ADD COLUMN later BIGINT; ALTER TABLE sealed_key ADD COLUMN later BYTEA;
    CREATE TABLE later (id BIGINT); UPDATE gateward_schema SET number = number + 1";

#[tokio::test(flavor = "multi_thread")]
async fn nodes_go_on_beside_those_of_a_newer_version() {
    let postgres = Postgres::start();
    let database = postgres.fresh_database();
    let mut cluster = Cluster::start(2, &[(DIRECTORY, &postgres.url(&database))]).await;
    cluster.add("ann").await;
    let ann = cluster.signed_in(0, "ann").await;
    cluster.soon(&ann, 1, 200).await;
    postgres.sql(&database, STEP);
    for node in 0..2 {
        let mut known = cluster.at(&ann, node);
        known.json("PATCH", "/api/v1/session/data", &json!({"node": node})).await.expect(200);
        let asked = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
        let app = known.json("POST", "/api/v1/login", &asked).await.expect(200).json();
        known
            .json("POST", "/api/v1/token/refresh", &json!({"refresh_token": app["refresh_token"]}))
            .await
            .expect(200);
        known.get("/readyz").await.expect(200);
    }
    // Only what is started meanwhile refuses, and changes nothing.
    cluster.nodes[1].stop().await;
    let refused = cluster.nodes[1].machine.run(&["--listen", "127.0.0.1:0"]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("has schema 2") && said.contains("use the newer version"),
        "{said}"
    );
    cluster.soon(&ann, 0, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_a_newer_version_has_written_keeps_what_that_added() {
    let postgres = Postgres::start();
    let database = postgres.fresh_database();
    let cluster = Cluster::start(2, &[(DIRECTORY, &postgres.url(&database))]).await;
    cluster.add("ann").await;
    let ann = cluster.signed_in(0, "ann").await;
    let written = "UPDATE kv SET value = '\\x11'::bytea || convert_to(
        jsonb_set(convert_from(substr(value, 2), 'UTF8')::jsonb, '{later}', '{\"deep\": [1]}')::text, 'UTF8')
        WHERE kind = 'session'";
    postgres.sql(&database, written);
    let mut other = cluster.at(&ann, 1);
    for round in 0..2 {
        other.json("PATCH", "/api/v1/session/data", &json!({"round": round})).await.expect(200);
    }
    let later = "SELECT get_byte(value, 0), convert_from(substr(value, 2), 'UTF8')::jsonb -> 'later',
        convert_from(substr(value, 2), 'UTF8')::jsonb -> 'data' -> 'version' FROM kv WHERE kind = 'session'";
    assert_eq!(postgres.sql(&database, later), "17|{\"deep\": [1]}|2");
    // Of a form that this version does not know it says so, and nobody is signed out.
    let unknown = cluster.signed_in(0, "ann").await;
    postgres.sql(&database, "UPDATE kv SET value = set_byte(value, 0, 2) WHERE kind = 'session'");
    let answer = cluster.at(&unknown, 1).get("/api/v1/session").await.expect(503);
    assert!(answer.header("retry-after").is_some() && answer.set_cookie("gateward").is_none());
    let log = cluster.nodes[1].machine.log();
    assert!(log.contains("session: written in form 2 by another version of Gateward"), "{log}");
}
