//! What a server says of itself, for an operator.

use gateward_kernel::ports::Fault;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::Engine;
use super::lines::Length;
use super::open::SUPPORTED;
use super::trouble::strange;
use crate::checkup::Finding;

/// One row with everything that is asked.
const FACTS: &str = "SELECT
     current_setting('server_version_num')::int,
     current_setting('server_version'),
     current_setting('fsync'),
     current_setting('full_page_writes'),
     current_setting('synchronous_commit'),
     pg_is_in_recovery(),
     (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
     current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,
     pg_notification_queue_usage()";

/// Whether the user may do everything that is done; the names of the tables where it may not.
const RIGHTS: &str = "SELECT t FROM unnest(ARRAY['kv', 'person', 'person_group', 'event', 'sealed_key']) AS t
     WHERE NOT (has_table_privilege(t, 'SELECT') AND has_table_privilege(t, 'INSERT')
                AND has_table_privilege(t, 'UPDATE') AND has_table_privilege(t, 'DELETE'))";

/// The copies that follow the server.
const COPIES: &str =
    "SELECT count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) FROM pg_stat_replication";

impl Engine {
    pub(super) async fn checkup(&self) -> Result<Vec<Finding>, Fault> {
        let rows = self.lines.ask(Length::Long, FACTS, &[]).await?;
        let copies = self.lines.ask(Length::Long, COPIES, &[]).await?;
        let begun = Instant::now();
        let forbidden = self.lines.ask(Length::Long, RIGHTS, &[]).await?;
        let took = begun.elapsed();
        let mut findings = Vec::new();
        for row in &rows {
            server(row, &mut findings).map_err(|error| strange(&error))?;
        }
        for row in &copies {
            let (all, synchronous) = (row.try_get(0), row.try_get(1));
            replication(
                all.map_err(|error| strange(&error))?,
                synchronous.map_err(|error| strange(&error))?,
                &mut findings,
            );
        }
        for row in &forbidden {
            let table: &str = row.try_get(0).map_err(|error| strange(&error))?;
            findings.push(Finding::bad(
                format!("the user may not read and write the table {table}"),
                "let it own the schema, or grant SELECT, INSERT, UPDATE, DELETE; nothing works otherwise",
            ));
        }
        if forbidden.is_empty() {
            findings.push(Finding::good("the user may read and write every table"));
        }
        self.answers().await?;
        findings.push(Finding::good("it takes writes"));
        let millis = took.as_secs_f64() * 1000.0;
        findings.push(if millis < 20.0 {
            Finding::good(format!("a question takes {millis:.1} ms"))
        } else {
            Finding::warning(
                format!("a question takes {millis:.1} ms"),
                "bring the nodes and the database closer together; every sign-in waits for several questions",
            )
        });
        Ok(findings)
    }
}

fn server(row: &Row, findings: &mut Vec<Finding>) -> Result<(), tokio_postgres::Error> {
    let version: &str = row.try_get(1)?;
    let said = format!("it is PostgreSQL {version}");
    findings.push(if SUPPORTED.contains(&row.try_get(0)?) {
        Finding::good(said)
    } else {
        Finding::bad(said, "use PostgreSQL 13 or newer")
    });
    for (at, name) in [(2, "fsync"), (3, "full_page_writes")] {
        if row.try_get::<_, &str>(at)? != "on" {
            findings.push(Finding::bad(
                format!("{name} is off"),
                "turn it on; a power cut or a crash of the machine can destroy the whole database",
            ));
        }
    }
    match row.try_get::<_, &str>(4)? {
        "off" => findings.push(Finding::warning(
            "synchronous_commit is off",
            "Gateward turns it on for what it writes itself; what others write can be lost in a crash",
        )),
        how => findings.push(Finding::good(format!("a commit is on the disk when it is answered ({how})"))),
    }
    if row.try_get(5)? {
        findings.push(Finding::bad(
            "the server is a standby and takes no writes",
            "name the primary in the address, or all servers, so that the one that takes writes is found",
        ));
    }
    let (used, most): (i64, i64) = (row.try_get(6)?, row.try_get(7)?);
    findings.push(if used + 8 <= most {
        Finding::good(format!("{used} of {most} connections are in use"))
    } else {
        Finding::warning(
            format!("{used} of {most} connections are in use"),
            "raise max_connections; a node that cannot connect answers nobody",
        )
    });
    if row.try_get::<_, f64>(8)? > 0.5 {
        findings.push(Finding::warning(
            "the queue of notifications is more than half full",
            "end the session that listens and stays in a transaction; when the queue is full, nothing can be written",
        ));
    }
    Ok(())
}

fn replication(copies: i64, synchronous: i64, findings: &mut Vec<Finding>) {
    findings.push(match (copies, synchronous) {
        (0, _) => Finding::warning(
            "no other server follows it, as far as the user may see",
            "set up a standby; when the disk dies, everything since the last backup is lost",
        ),
        (_, 0) => Finding::warning(
            format!("{copies} servers follow it, none of them synchronously"),
            "set synchronous_standby_names; otherwise a fail-over loses the last sign-ins, new passwords and refreshed tokens, \
             and brings back what was ended last",
        ),
        _ => Finding::good(format!("{copies} servers follow it, {synchronous} of them synchronously")),
    });
}
