//! `gateward key list`

use gateward_kernel::keyring::Stage;
use serde_json::{Value, json};

use crate::app::App;
use crate::cli::Done;
use crate::cli::show::Show;

pub(super) async fn run(app: &App, show: Show) -> Done {
    let (ring, now) = (app.tokens.mint.ring(), app.clock.now());
    let peppers = app.directory().sealed_keys("pepper").await?;
    ring.load(now).await?;
    let mut values: Vec<Value> = Vec::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let newest = peppers.last().map(|pepper| pepper.id.clone());
    for pepper in peppers {
        // Those of older hashes still verify them.
        let stage = if newest.as_ref() == Some(&pepper.id) { Stage::Active } else { Stage::Retired };
        let created = pepper.created.rfc3339();
        values.push(json!({
            "purpose": "pepper", "id": pepper.id, "created_at": created, "active_from": created, "stage": stage,
        }));
        rows.push(row(["pepper", "", &pepper.id, "", &created, &created, word(stage)]));
    }
    for (key, stage) in ring.snapshot(now).keys() {
        let (term, id) = (key.term(), key.id());
        let (created, from) = (term.created.rfc3339(), term.active_from.rfc3339());
        values.push(json!({
            "purpose": "signing", "id": id, "alg": term.alg.name(), "kid": key.kid(),
            "created_at": created, "active_from": from, "stage": stage,
        }));
        rows.push(row(["signing", term.alg.name(), &id, key.kid(), &created, &from, word(*stage)]));
    }
    let headings = ["PURPOSE", "ALG", "ID", "KID", "CREATED", "ACTIVE FROM", "STAGE"];
    show.table(&Value::from(values), &headings, &rows);
    Ok(())
}

fn row(cells: [&str; 7]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

const fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Published => "published",
        Stage::Active => "active",
        Stage::Retired => "retired",
        Stage::Gone => "gone",
    }
}
