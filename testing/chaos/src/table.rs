//! The verdicts as a table in Markdown.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::engines::Strategy;
use crate::nemesis::Harm;
use crate::promises::Promise;
use crate::round::Verdict;

const BEGIN: &str = "<!-- chaos -->\n";
const END: &str = "<!-- /chaos -->";

/// A row for each strategy, of all its rounds.
pub fn table(verdicts: &[Verdict]) -> String {
    let promises: Vec<_> = Promise::ALL.iter().map(|promise| promise.name()).collect();
    let mut text = format!(
        "| sessions in | operations: done / not / unknown | sessions | faults | linearizable | {} | seeds |\n|---|---|---|---|{}---|\n",
        promises.join(" | "),
        "---|".repeat(promises.len() + 1),
    );
    for strategy in Strategy::ALL {
        let rounds: Vec<_> = verdicts.iter().filter(|verdict| verdict.strategy == strategy).collect();
        if !rounds.is_empty() {
            row(&mut text, strategy, &rounds);
        }
    }
    text
}

fn row(text: &mut String, strategy: Strategy, rounds: &[&Verdict]) {
    let sum = |of: fn(&Verdict) -> usize| rounds.iter().map(|round| of(round)).sum::<usize>();
    let (ok, no, unknown) = (sum(|one| one.ok), sum(|one| one.no), sum(|one| one.unknown));
    let sessions = sum(|one| one.linearizability.sessions);
    let mut faults = std::collections::BTreeMap::<Harm, usize>::new();
    for (harm, count) in rounds.iter().flat_map(|round| &round.faults) {
        *faults.entry(*harm).or_default() += count;
    }
    let faults: Vec<_> = faults.iter().map(|(harm, count)| format!("{} {count}", harm.name())).collect();
    let order =
        count(sum(|one| one.linearizability.broken.len()), sum(|one| one.linearizability.unsure.len()));
    let promises: Vec<_> = Promise::ALL
        .iter()
        .map(|promise| {
            let broken = |round: &&Verdict| round.broken.iter().filter(|one| one.promise == *promise).count();
            count(rounds.iter().map(broken).sum(), 0)
        })
        .collect();
    let seeds: Vec<_> = rounds.iter().map(|round| round.seed.to_string()).collect();
    writeln!(
        text,
        "| {} | {ok} / {no} / {unknown} | {sessions} | {} | {order} | {} | {} |",
        strategy.name(),
        faults.join(", "),
        promises.join(" | "),
        seeds.join(", "),
    )
    .unwrap();
}

fn count(broken: usize, unsure: usize) -> String {
    match (broken, unsure) {
        (0, 0) => "yes".into(),
        (0, unsure) => format!("{unsure} not told in time"),
        (broken, _) => format!("**no**, {broken} times"),
    }
}

/// The page with the table in the place of the old one.
pub fn insert(page: &str, table: &str) -> Result<String> {
    let (before, rest) = page.split_once(BEGIN).context("the page has no place for the table")?;
    let (_, after) = rest.split_once(END).context("the place for the table has no end")?;
    Ok(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_takes_the_place_of_the_old_one() {
        let page = "a\n<!-- chaos -->\nold\n<!-- /chaos -->\nb";
        assert_eq!(insert(page, "new\n").unwrap(), "a\n<!-- chaos -->\n\nnew\n\n<!-- /chaos -->\nb");
        assert!(insert("a\nb", "new\n").is_err() && insert("<!-- chaos -->\n", "new\n").is_err());
    }
}
