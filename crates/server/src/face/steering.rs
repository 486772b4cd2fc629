//! Characters that nobody sees, and that change how others are shown: they turn the direction of writing, hide, or steer a terminal.

/// Whether a character is a control or a format character (Unicode, general categories Cc and Cf), or ends a line without being seen.
pub fn steers(one: char) -> bool {
    one.is_control()
        || matches!(one,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// JSON as people read it: what steers stands there as its escape, which means the same (RFC 8259 §7).
pub fn readable(value: &serde_json::Value) -> Option<String> {
    let text = serde_json::to_string_pretty(value).ok()?;
    let mut shown = String::with_capacity(text.len());
    for one in text.chars() {
        if one == '\n' || !steers(one) {
            shown.push(one);
            continue;
        }
        for unit in one.encode_utf16(&mut [0; 2]) {
            shown.push_str(&format!("\\u{unit:04x}"));
        }
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_steers_is_escaped_and_means_the_same() {
        let value = json!([{ "type": "pay\u{202e}lia", "to": "Ä\u{ad}\u{85}\u{e0041}\n", "\u{200b}": 1 }]);
        let shown = readable(&value).unwrap();
        assert!(shown.chars().all(|one| one == '\n' || !steers(one)), "{shown}");
        assert!(shown.contains("pay\\u202elia") && shown.contains('Ä'), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
