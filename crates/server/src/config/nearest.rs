//! The known key that an unknown one was probably meant to be.

/// The candidate most like `unknown`; `None` only when there is no candidate. Keys are dotted. A key written
/// in the wrong section is found by its last part, so that `idle` leads to `sessions.idle`.
pub(super) fn nearest<'a>(unknown: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        let score = likeness(unknown, candidate);
        if best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How alike two dotted keys are, from 0 to 1.
pub(super) fn likeness(unknown: &str, candidate: &str) -> f64 {
    let (unknown, candidate) = (unknown.to_lowercase(), candidate.to_lowercase());
    let whole = strsim::normalized_damerau_levenshtein(&unknown, &candidate);
    let ends = strsim::normalized_damerau_levenshtein(last_part(&unknown), last_part(&candidate));
    // The last part alone counts a little less, so that the same section wins where both fit.
    (ends * 0.9).max(whole.midpoint(ends))
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_misplaced_and_flattened_keys_find_their_way() {
        let known = ["listen", "public_url", "sessions.idle", "sessions.absolute", "limits.idle_time"];
        let expected = [
            ("lisen", "listen"),
            ("Listen", "listen"),
            ("session.idle", "sessions.idle"),
            ("sessions.idel", "sessions.idle"),
            ("sessions_idle", "sessions.idle"),
            ("idle", "sessions.idle"),
            ("insecure_public_url", "public_url"),
        ];
        for (unknown, meant) in expected {
            assert_eq!(nearest(unknown, known), Some(meant), "{unknown}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
